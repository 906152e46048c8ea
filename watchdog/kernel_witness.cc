// Futex system calls, and where in each object glibc 2.36 keeps the words it waits on.
#include "watchdog/kernel_witness.h"

#include <linux/futex.h>
#include <sys/syscall.h>

namespace lockwarden {
namespace {

#ifndef FUTEX_LOCK_PI2
#define FUTEX_LOCK_PI2 13
#endif

bool IsUntimedFutexWait(const KernelThread& thread) {
  if (thread.syscall != SYS_futex) return false;
  constexpr uint64_t kTimeout = 3;  // index of the argument
  switch (thread.syscall_args[1] & static_cast<uint64_t>(FUTEX_CMD_MASK)) {
    case FUTEX_WAIT:
    case FUTEX_WAIT_BITSET:
    case FUTEX_LOCK_PI:
    case FUTEX_LOCK_PI2: return thread.syscall_args[kTimeout] == 0;
    default: return false;
  }
}

// Whether a thread that waits for an object of this kind may sleep on the word this far
// into it.
bool IsWordOf(ledger::LockKind kind, uint64_t offset) {
  switch (kind) {
    case ledger::LockKind::kMutex:
    case ledger::LockKind::kSemaphore:
    case ledger::LockKind::kLock:
    case ledger::LockKind::kRLock:
    case ledger::LockKind::kOnce:
    case ledger::LockKind::kFutex: return offset == 0;
    case ledger::LockKind::kRwLock:
      // __readers (a reader that gives way to a writer), __wrphase_futex, __writers_futex
      return offset == 0 || offset == 8 || offset == 12;
    case ledger::LockKind::kSharedLock: return offset == 0 || offset == 4;  // seat, readers
    case ledger::LockKind::kCondition: return offset < 48;
    case ledger::LockKind::kBarrier: return offset == 0 || offset == 4;  // in, current round
    case ledger::LockKind::kGuard: return offset < 8;
    default: return offset < 64;  // the library's other types, each one cache line at most
  }
}

// glibc parks a waiter that the kernel refused (EDEADLK) on a word of its own stack.
bool IsParkedOnItsStack(const KernelThread& thread, const ExpectedWait& expected) {
  constexpr uint64_t kFrames = 1024;  // bytes: the innermost frames of pthread_mutex_lock
  return (expected.lock_flags & ledger::kPriorityInherit) != 0 &&
         thread.syscall_args[0] - thread.stack_pointer < kFrames;
}

}  // namespace

bool SleepsOnWord(const KernelThread& thread, uint64_t address) {
  return thread.exists && thread.state == 'S' && IsUntimedFutexWait(thread) &&
         thread.syscall_args[0] == address;
}

bool SleepsInPrivate(const KernelThread& thread) {
  return thread.syscall == SYS_futex && (thread.syscall_args[1] & FUTEX_PRIVATE_FLAG) != 0;
}

KernelSays CheckWait(const KernelThread& thread, const ExpectedWait& expected) {
  if (!thread.exists) return KernelSays::kContradicts;
  if (thread.state == 't' || thread.state == 'T') return KernelSays::kStopped;
  if (expected.kind == ledger::LockKind::kSpin) {
    const bool in_a_call = thread.syscall.has_value() && *thread.syscall != -1;
    return thread.state == 'R' && !in_a_call && expected.spun ? KernelSays::kSpins
                                                              : KernelSays::kContradicts;
  }
  if (expected.kind == ledger::LockKind::kUser) {
    const bool on_it = IsUntimedFutexWait(thread) &&
                       IsWordOf(expected.kind, thread.syscall_args[0] - expected.address);
    return thread.state == 'S' && on_it ? KernelSays::kAgrees : KernelSays::kAnnotated;
  }
  if (thread.state != 'S') return KernelSays::kContradicts;
  if (!thread.syscall.has_value()) return KernelSays::kAsleep;
  if (!IsUntimedFutexWait(thread)) return KernelSays::kContradicts;
  const uint64_t offset = thread.syscall_args[0] - expected.address;  // huge if below
  if (expected.join) {
    // The word is the joined thread's tid in its descriptor, and so is the value waited on.
    constexpr uint64_t kDescriptor = 4096;
    return offset < kDescriptor &&
                   static_cast<uint32_t>(thread.syscall_args[2]) == expected.joined_tid
               ? KernelSays::kAgrees
               : KernelSays::kContradicts;
  }
  return IsWordOf(expected.kind, offset) || IsParkedOnItsStack(thread, expected)
             ? KernelSays::kAgrees
             : KernelSays::kContradicts;
}

}  // namespace lockwarden
