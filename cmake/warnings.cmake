# One interface target for every target of ours: warnings as errors, Clang's
# thread-safety analysis, sanitizers when asked for.
add_library(lockwarden_flags INTERFACE)
target_include_directories(lockwarden_flags INTERFACE ${PROJECT_SOURCE_DIR})
target_compile_options(lockwarden_flags INTERFACE
  -Wall -Wextra -Wshadow -Wpointer-arith -Wvla -Werror
  $<$<COMPILE_LANGUAGE:CXX>:-Wnon-virtual-dtor>
  $<$<CXX_COMPILER_ID:Clang>:-Wthread-safety>
  -fno-omit-frame-pointer
  $<$<COMPILE_LANGUAGE:CXX>:-g1>)  # line tables: all that a stack needs, and half to compile
if(LOCKWARDEN_SANITIZE)
  target_compile_options(lockwarden_flags INTERFACE -fsanitize=${LOCKWARDEN_SANITIZE} -fno-sanitize-recover=all)
  target_link_options(lockwarden_flags INTERFACE -fsanitize=${LOCKWARDEN_SANITIZE})
  # For the few tests that a sanitizer's own doings would disturb; g++ and clang tell it in two ways.
  if(LOCKWARDEN_SANITIZE MATCHES thread)
    target_compile_definitions(lockwarden_flags INTERFACE LOCKWARDEN_SANITIZES_THREAD)
  else()
    target_compile_definitions(lockwarden_flags INTERFACE LOCKWARDEN_SANITIZES_ADDRESS)
  endif()
endif()
