// File lock hooks: flock, lockf, and fcntl's two commands that wait for a lock.
//
// Only the wait is recorded. Who holds a file lock, and until when, depends on every close
// and dup of every process that has the file open, and the kernel lists it: the reader asks
// there (watchdog/file_locks.h). The wait names the descriptor; which file and which range
// that is, the reader learns from the system call that the thread is blocked in. The
// program's struct flock is never looked at: it may not be there, and libc says EFAULT.
//
// Every other command of fcntl goes straight on.
#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <cstdarg>

#include "interpose/describe.h"
#include "interpose/real.h"
#include "runtime/recorder.h"

using namespace lockwarden;
using namespace lockwarden::interpose;
using ledger::InScope;
using ledger::Mode;

namespace {

uint32_t DescribeFileLock(const void*) { return Kind(ledger::LockKind::kFileLock); }

template <class Call>
LOCKWARDEN_INLINE int WaitForFile(int fd, Mode mode, uint64_t cfa, uint64_t site, Call call) {
  return InScope(cfa, call, [=](const auto& scope) {
    const void* lock = reinterpret_cast<const void*>(ledger::kFileLockBase |
                                                     static_cast<uint32_t>(fd));
    const ledger::LockUse use =
        ledger::IdentifyLock(scope.record(), lock, DescribeFileLock, site, scope.cfa());
    if (use.ref == 0) return call();  // the lock table is full, which is counted
    ledger::PlainWait wait(scope, use.ref | static_cast<uint8_t>(mode), lock, 0, site);
    return call();
  });
}

bool Waits(int command) { return command == F_SETLKW || command == F_OFD_SETLKW; }

}  // namespace

// No cancellation point, unlike the others.
LOCKWARDEN_HOOK int flock(int fd, int operation) noexcept {
  const auto call = [=] { return Real().flock(fd, operation); };
  const int kind = operation & (LOCK_SH | LOCK_EX);
  if ((operation & LOCK_NB) != 0 || kind == 0) return call();
  return WaitForFile(fd, kind == LOCK_SH ? Mode::kShared : Mode::kExclusive, LOCKWARDEN_CFA,
                     LOCKWARDEN_SITE, call);
}

// As libc does, the argument is passed on as a word, whatever it is.
#define LOCKWARDEN_FCNTL(function)                                                    \
  LOCKWARDEN_HOOK int function(int fd, int command, ...) {                            \
    va_list arguments;                                                                \
    va_start(arguments, command);                                                     \
    void* const argument = va_arg(arguments, void*);                                  \
    va_end(arguments);                                                                \
    const auto call = [=] { return Real().function(fd, command, argument); };         \
    if (__builtin_expect(!Waits(command), 1)) return call();                          \
    return WaitForFile(fd, Mode::kExclusive, LOCKWARDEN_CFA, LOCKWARDEN_SITE, call);  \
  }
LOCKWARDEN_FCNTL(fcntl)
LOCKWARDEN_FCNTL(fcntl64)

#define LOCKWARDEN_LOCKF(function, offset_type)                                       \
  LOCKWARDEN_HOOK int function(int fd, int command, offset_type length) {             \
    const auto call = [=] { return Real().function(fd, command, length); };           \
    if (command != F_LOCK) return call();                                             \
    return WaitForFile(fd, Mode::kExclusive, LOCKWARDEN_CFA, LOCKWARDEN_SITE, call);  \
  }
LOCKWARDEN_LOCKF(lockf, off_t)
LOCKWARDEN_LOCKF(lockf64, off64_t)
