# Writes the status page's files, and those of --print, into a header, as string literals: a build step, so that
# they stay files that an editor and a browser know.
#
#   cmake -DOUT=page_files.h -DDIR=page -P embed.cmake
set(text "// Made by exporter/embed.cmake from exporter/page and exporter/shipped.\n#pragma once\n\nnamespace lockwarden::page_files {\n")
foreach(pair "kIndexHtml=index.html" "kIncidentHtml=incident.html" "kPageCss=page.css"
             "kHostHtml=host.html" "kHostJs=host.js" "kPageJs=page.js" "kGraphJs=graph.js" "kRulesYml=../shipped/lockwarden.rules.yml"
             "kDashboardJson=../shipped/lockwarden.dashboard.json"
             "kProbesYml=../shipped/probes.yml" "kUnit=../shipped/lockwarden.service")
  string(REPLACE "=" ";" pair "${pair}")
  list(GET pair 0 name)
  list(GET pair 1 file)
  # In pieces: a compiler need not take a literal of more than 65536 bytes.
  file(READ "${DIR}/${file}" content HEX)
  string(LENGTH "${content}" length)
  set(at 0)
  string(APPEND text "inline constexpr char ${name}[] =")
  while(at LESS length)
    string(SUBSTRING "${content}" ${at} 16000 piece)
    string(REGEX REPLACE "([0-9a-f][0-9a-f])" "\\\\x\\1" piece "${piece}")
    string(APPEND text "\n    \"${piece}\"")
    math(EXPR at "${at} + 16000")
  endwhile()
  string(APPEND text ";\n")
endforeach()
string(APPEND text "}  // namespace lockwarden::page_files\n")
file(WRITE "${OUT}" "${text}")
