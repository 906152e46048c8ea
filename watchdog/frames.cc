// Tells frames apart by module and function name; see frames.h.
#include "watchdog/frames.h"

#include <algorithm>

#include "absl/strings/match.h"

namespace lockwarden {
namespace {

// The hooks, and the instrumented types where they are linked in or inlined.
bool IsPreload(const StackFrame& frame) {
  return absl::StartsWith(Basename(frame.module), "liblockwarden_preload.so");
}

bool IsOurs(const StackFrame& frame) {
  return IsPreload(frame) || absl::StartsWith(Basename(frame.module), "liblockwarden.so") ||
         absl::StartsWith(frame.function, "lockwarden::") ||
         absl::EndsWith(frame.file, "lockwarden/annotate.h");  // inlined into their callers
}

bool IsCLibrary(const StackFrame& frame) {
  const std::string name = Basename(frame.module);
  return absl::StartsWith(name, "libc.so.") || absl::StartsWith(name, "libc-2.") ||
         absl::StartsWith(name, "libpthread.so.") || absl::StartsWith(name, "libpthread-2.") ||
         absl::StartsWith(name, "ld-linux");
}

// Rust's standard library, which is compiled into the program: its sources are known by paths
// that only its own build has.
bool IsRustLibrary(const StackFrame& frame) {
  return absl::StartsWith(frame.file, "/rustc/") || absl::StartsWith(frame.file, "library/std/") ||
         absl::StartsWith(frame.file, "library/core/") ||
         absl::StartsWith(frame.file, "library/alloc/");
}

bool IsStandardLibrary(const StackFrame& frame) {
  return IsRustLibrary(frame) || absl::StartsWith(Basename(frame.module), "libstdc++.so.") ||
         absl::StartsWith(frame.function, "std::") ||
         absl::StartsWith(frame.function, "__gnu_cxx::") ||
         absl::StartsWith(frame.function, "__gthread_");
}

// What std::thread puts between its start routine and the function it was given.
bool StartsCppThread(const StackFrame& frame) {
  for (const char* prefix : {"std::thread::_State_impl<", "std::thread::_Invoker<",
                             "std::__invoke_impl<", "std::__invoke<"}) {
    if (absl::StartsWith(frame.function, prefix)) return true;
  }
  return absl::StartsWith(Basename(frame.module), "libstdc++.so.") &&
         (frame.function.empty() || frame.function == "execute_native_thread_routine");
}

bool StartsThreadOrMain(const StackFrame& frame) {
  if (frame.function == "_start") return true;
  if (!IsCLibrary(frame)) return false;
  static const char* const kNames[] = {
      "start_thread",        "clone",   "clone3",       "__clone",
      "__clone3",            "__clone_internal", "thread_start", "__libc_start_main",
      "__libc_start_main_impl", "__libc_start_call_main"};
  return frame.function.empty() ||  // a stripped libc: these are not exported
         std::any_of(std::begin(kNames), std::end(kNames),
                     [&](const char* name) { return frame.function == name; });
}

}  // namespace

std::string Basename(const std::string& path) { return path.substr(path.rfind('/') + 1); }

bool IsUserFrame(const StackFrame& frame) {
  return !IsOurs(frame) && !IsCLibrary(frame) && !IsStandardLibrary(frame) &&
         frame.function != "_start";
}

StackTrace VisibleFrames(const StackTrace& stack) {
  size_t begin = 0, end = stack.size();
  while (begin < end && IsOurs(stack[begin])) ++begin;
  // _start, __libc_start_main and its helper, or clone3 and start_thread.
  for (int left = 3; left > 0 && end > begin && StartsThreadOrMain(stack[end - 1]); --left) --end;
  while (end > begin && StartsCppThread(stack[end - 1])) --end;
  if (begin == end) return stack;
  StackTrace visible(stack.begin() + static_cast<ptrdiff_t>(begin),
                     stack.begin() + static_cast<ptrdiff_t>(end));
  // A hook that calls back into the program (pthread_once) stands in the middle.
  std::erase_if(visible, IsPreload);
  return visible.empty() ? stack : visible;
}

}  // namespace lockwarden
