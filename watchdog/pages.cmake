# Manual pages and shell completions, made from the table of commands. Included by this room's
# CMakeLists.txt.
add_executable(lockwarden_pages completions.cc manual_pages.cc write_pages.cc)
target_compile_definitions(lockwarden_pages PRIVATE LOCKWARDEN_VERSION="${PROJECT_VERSION}")
target_link_libraries(lockwarden_pages PRIVATE lockwarden_watchdog)

set(pages ${CMAKE_BINARY_DIR}/pages)
add_custom_command(
  OUTPUT ${pages}/made
  COMMAND ${CMAKE_COMMAND} -E rm -rf ${pages}
  COMMAND ${CMAKE_COMMAND} -E make_directory ${pages}/man1
  COMMAND lockwarden_pages ${pages}
  COMMAND gzip -9nr ${pages}/man1
  COMMAND ${CMAKE_COMMAND} -E touch ${pages}/made
  DEPENDS lockwarden_pages
  VERBATIM)
add_custom_target(lockwarden_pages_made ALL DEPENDS ${pages}/made)
set_target_properties(lockwarden_pages_made PROPERTIES PAGES_DIR ${pages})
