// New images: an exec whose environment leaves the preload out is counted in the ledger, and
// left as it is.
//
// These hooks take no frame and write nothing but one counter of the ledger: after vfork
// they run in the parent's memory, with the parent's thread asleep in the middle of its own.
#include "interpose/exec.h"

#include <stdarg.h>
#include <string.h>
#include <unistd.h>

#include "interpose/real.h"
#include "runtime/gate.h"

using namespace lockwarden;
using namespace lockwarden::interpose;

namespace {

// Written at load, read-only after that.
bool preloaded_by_environment = false;

bool BringsPreload(char* const* environment) {
  constexpr char kVariable[] = "LD_PRELOAD=";
  if (environment == nullptr) return false;
  for (char* const* entry = environment; *entry != nullptr; ++entry) {
    if (strncmp(*entry, kVariable, sizeof(kVariable) - 1) == 0) {
      // The loader looks at the first one only.
      return strstr(*entry, "liblockwarden_preload") != nullptr;
    }
  }
  return false;
}

// Counts a drop, and takes it back if the call fails.
class Drop {
 public:
  explicit Drop(char* const* environment)
      : base_(preloaded_by_environment && !BringsPreload(environment)
                  ? ledger::TheGate()->epoch.load(std::memory_order_acquire)  // G2
                  : 0) {
    // Relaxed, here and below: a statistic.
    if (base_ != 0) drops().fetch_add(1, std::memory_order_relaxed);
  }
  int Failed(int rc) const {
    if (base_ != 0) drops().fetch_sub(1, std::memory_order_relaxed);  // as above
    return rc;
  }

 private:
  std::atomic<uint64_t>& drops() const {
    return reinterpret_cast<ledger::Header*>(base_)->exec_drops;
  }
  uint64_t base_;  // address of the ledger; 0: nothing to count
};

// The words of an execl call as an array, on the stack of the hook: `list` stands behind
// the first word, and ends with a null pointer.
int CountWords(va_list list) {
  int count = 1;
  while (va_arg(list, char*) != nullptr) ++count;
  return count;
}

// Copies them and leaves `list` behind the null pointer, where execle's environment is.
#define LOCKWARDEN_TAKE_WORDS(argv, first, list)                                        \
  va_list counted;                                                                      \
  va_start(list, first);                                                                \
  va_copy(counted, list);                                                               \
  const int word_count = CountWords(counted);                                           \
  va_end(counted);                                                                      \
  char** argv = static_cast<char**>(                                                    \
      __builtin_alloca((static_cast<size_t>(word_count) + 1) * sizeof(char*)));         \
  argv[0] = const_cast<char*>(first);                                                   \
  for (int word = 1; word <= word_count; ++word) argv[word] = va_arg(list, char*)

}  // namespace

void lockwarden::interpose::LookForPreload() { preloaded_by_environment = BringsPreload(environ); }

LOCKWARDEN_HOOK int execve(const char* path, char* const* argv, char* const* envp) noexcept {
  const Drop drop(envp);
  return drop.Failed(Real().execve(path, argv, envp));
}

LOCKWARDEN_HOOK int execv(const char* path, char* const* argv) noexcept {
  const Drop drop(environ);
  return drop.Failed(Real().execv(path, argv));
}

LOCKWARDEN_HOOK int execvp(const char* file, char* const* argv) noexcept {
  const Drop drop(environ);
  return drop.Failed(Real().execvp(file, argv));
}

LOCKWARDEN_HOOK int execvpe(const char* file, char* const* argv, char* const* envp) noexcept {
  const Drop drop(envp);
  return drop.Failed(Real().execvpe(file, argv, envp));
}

LOCKWARDEN_HOOK int fexecve(int fd, char* const* argv, char* const* envp) noexcept {
  const Drop drop(envp);
  return drop.Failed(Real().fexecve(fd, argv, envp));
}

LOCKWARDEN_HOOK int execveat(int fd, const char* path, char* const* argv, char* const* envp,
                             int flags) noexcept {
  const Drop drop(envp);
  return drop.Failed(Real().execveat(fd, path, argv, envp, flags));
}

LOCKWARDEN_HOOK int execl(const char* path, const char* first, ...) noexcept {
  va_list list;
  LOCKWARDEN_TAKE_WORDS(argv, first, list);
  va_end(list);
  const Drop drop(environ);
  return drop.Failed(Real().execv(path, argv));
}

LOCKWARDEN_HOOK int execlp(const char* file, const char* first, ...) noexcept {
  va_list list;
  LOCKWARDEN_TAKE_WORDS(argv, first, list);
  va_end(list);
  const Drop drop(environ);
  return drop.Failed(Real().execvp(file, argv));
}

LOCKWARDEN_HOOK int execle(const char* path, const char* first, ...) noexcept {
  va_list list;
  LOCKWARDEN_TAKE_WORDS(argv, first, list);
  char* const* envp = va_arg(list, char* const*);
  va_end(list);
  const Drop drop(envp);
  return drop.Failed(Real().execve(path, argv, envp));
}

LOCKWARDEN_HOOK int posix_spawn(pid_t* pid, const char* path,
                                const posix_spawn_file_actions_t* actions,
                                const posix_spawnattr_t* attributes, char* const* argv,
                                char* const* envp) {
  const Drop drop(envp);
  const int rc = Real().posix_spawn(pid, path, actions, attributes, argv, envp);
  return rc == 0 ? 0 : drop.Failed(rc);
}

LOCKWARDEN_HOOK int posix_spawnp(pid_t* pid, const char* file,
                                 const posix_spawn_file_actions_t* actions,
                                 const posix_spawnattr_t* attributes, char* const* argv,
                                 char* const* envp) {
  const Drop drop(envp);
  const int rc = Real().posix_spawnp(pid, file, actions, attributes, argv, envp);
  return rc == 0 ? 0 : drop.Failed(rc);
}

// The shell that these two start gets this process's environment.
LOCKWARDEN_HOOK int system(const char* command) {
  const Drop drop(command == nullptr ? nullptr : environ);
  const int rc = Real().system(command);
  return command == nullptr || rc == -1 ? drop.Failed(rc) : rc;
}

LOCKWARDEN_HOOK FILE* popen(const char* command, const char* type) {
  const Drop drop(environ);
  FILE* const stream = Real().popen(command, type);
  if (stream == nullptr) drop.Failed(0);
  return stream;
}
