# Headers that most files of the watchdog and of its tests include, compiled once: a third of the
# time to compile them went there. Off, each file needs all the includes of its own.
option(LOCKWARDEN_PRECOMPILE "Compile the common headers once" ON)

set(LOCKWARDEN_COMMON_HEADERS
  <algorithm> <chrono> <cstdint> <functional> <map> <memory> <optional> <set> <string> <thread>
  <utility> <vector>)
set(LOCKWARDEN_WATCHDOG_HEADERS
  <absl/container/flat_hash_map.h> <absl/container/flat_hash_set.h> <absl/status/status.h>
  <absl/status/statusor.h> <absl/strings/match.h> <absl/strings/str_cat.h>
  <absl/strings/str_format.h> <absl/strings/str_split.h> <absl/types/span.h>)

# Precompiles `HEADERS` (after the common ones) for a target's C++ files.
function(lockwarden_precompile target)
  if(LOCKWARDEN_PRECOMPILE)
    list(TRANSFORM LOCKWARDEN_COMMON_HEADERS REPLACE "(.+)" "$<$<COMPILE_LANGUAGE:CXX>:\\1>"
         OUTPUT_VARIABLE headers)
    list(TRANSFORM ARGN REPLACE "(.+)" "$<$<COMPILE_LANGUAGE:CXX>:\\1>" OUTPUT_VARIABLE more)
    target_precompile_headers(${target} PRIVATE ${headers} ${more})
    if(CMAKE_CXX_COMPILER_ID STREQUAL GNU)
      # g++ 12 warns of its own std::string (PR 105651), and a precompiled header is none of
      # the system's to it. Clang's build has its own.
      target_compile_options(${target} PRIVATE -Wno-array-bounds -Wno-restrict -Wno-stringop-overflow)
    endif()
  endif()
endfunction()
