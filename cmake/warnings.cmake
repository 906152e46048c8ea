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
  if(LOCKWARDEN_SANITIZE MATCHES address AND CMAKE_CXX_COMPILER_ID STREQUAL GNU)
    # g++ 12 takes the address of a thread-local for null in inlined code; a real null
    # stops at AddressSanitizer.
    target_compile_options(lockwarden_flags INTERFACE -fno-sanitize=null)
    # With it g++ warns where nothing is wrong, as its manual says.
    target_compile_options(lockwarden_flags INTERFACE -Wno-maybe-uninitialized)
  endif()
endif()
