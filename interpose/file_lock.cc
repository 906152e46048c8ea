// File lock hooks: flock, lockf, and fcntl's commands that take a lock.
//
// Who holds a file lock, and until when, depends on every close and dup of every process that
// has the file open, and the kernel lists it: the reader asks there (watchdog/file_locks.h).
// So only this is recorded, by descriptor: the wait, and where a lock was last taken, which
// the reader shows if the kernel says that one is held through that descriptor. Which file
// and which range that is, the reader learns from the system call that the thread is blocked
// in. The program's struct flock is not looked at before the kernel has: it may not be
// there, and libc says EFAULT.
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

struct Request {
  int fd;
  Mode mode;
  bool waits;  // else it fails at once where another has the lock
};

// took(): asked after the call has succeeded, whether it took a lock or gave one back.
template <class Call, class Took>
LOCKWARDEN_INLINE int TakeFile(Request request, uint64_t cfa, uint64_t site, Call call,
                               Took took) {
  return InScope(cfa, call, [=](const auto& scope) {
    const void* lock = reinterpret_cast<const void*>(ledger::kFileLockBase |
                                                     static_cast<uint32_t>(request.fd));
    const ledger::LockUse use =
        ledger::IdentifyLock(scope.record(), lock, DescribeFileLock, site, scope.cfa());
    if (use.ref == 0) return call();  // the lock table is full, which is counted
    int rc;
    if (request.waits) {
      ledger::PlainWait wait(scope, use.ref | static_cast<uint8_t>(request.mode), lock, 0, site);
      rc = call();
    } else {
      rc = call();
    }
    if (rc != 0 || !took()) return rc;
    const uint32_t stack = ledger::CaptureForRecord(scope.record(), site, scope.cfa());
    // Relaxed: names an interned stack, which a reader checks as it does every stack.
    ledger::this_thread.locks[ledger::IndexOf(use.ref)].plain_stack.store(
        stack, std::memory_order_relaxed);
    return rc;
  });
}

constexpr auto kTook = [] { return true; };

bool TakesOrGivesBack(int command) {
  return command == F_SETLK || command == F_SETLKW || command == F_OFD_SETLK ||
         command == F_OFD_SETLKW;
}
bool Waits(int command) { return command == F_SETLKW || command == F_OFD_SETLKW; }

}  // namespace

// No cancellation point, unlike the others.
LOCKWARDEN_HOOK int flock(int fd, int operation) noexcept {
  const auto call = [=] { return Real().flock(fd, operation); };
  const int kind = operation & (LOCK_SH | LOCK_EX);
  if (kind == 0) return call();
  return TakeFile({fd, kind == LOCK_SH ? Mode::kShared : Mode::kExclusive,
                   (operation & LOCK_NB) == 0},
                  LOCKWARDEN_CFA, LOCKWARDEN_SITE, call, kTook);
}

// As libc does, the argument is passed on as a word, whatever it is.
#define LOCKWARDEN_FCNTL(function)                                                    \
  LOCKWARDEN_HOOK int function(int fd, int command, ...) {                            \
    va_list arguments;                                                                \
    va_start(arguments, command);                                                     \
    void* const argument = va_arg(arguments, void*);                                  \
    va_end(arguments);                                                                \
    const auto call = [=] { return Real().function(fd, command, argument); };         \
    if (__builtin_expect(!TakesOrGivesBack(command), 1)) return call();               \
    const auto took = [=] {                                                           \
      return static_cast<const struct flock*>(argument)->l_type != F_UNLCK;           \
    };                                                                                \
    return TakeFile({fd, Mode::kExclusive, Waits(command)}, LOCKWARDEN_CFA,           \
                    LOCKWARDEN_SITE, call, took);                                     \
  }
LOCKWARDEN_FCNTL(fcntl)
LOCKWARDEN_FCNTL(fcntl64)

#define LOCKWARDEN_LOCKF(function, offset_type)                                       \
  LOCKWARDEN_HOOK int function(int fd, int command, offset_type length) {             \
    const auto call = [=] { return Real().function(fd, command, length); };           \
    if (command != F_LOCK && command != F_TLOCK) return call();                       \
    return TakeFile({fd, Mode::kExclusive, command == F_LOCK}, LOCKWARDEN_CFA,        \
                    LOCKWARDEN_SITE, call, kTook);                                    \
  }
LOCKWARDEN_LOCKF(lockf, off_t)
LOCKWARDEN_LOCKF(lockf64, off64_t)
