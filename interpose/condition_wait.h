// A wait on a condition, whichever interface it came through, and a signal. A wait releases
// the mutex inside libc, where no hook sees it, so the hook does: pop the mutex, publish the
// wait, call, clear, push the mutex again.
//
// The call is a cancellation point: the unwinding of a cancelled thread passes through, and
// the next hook of that thread forgets the frame.
#pragma once

#include <cerrno>

#include "interpose/describe.h"
#include "runtime/condition_signals.h"
#include "runtime/recorder.h"

namespace lockwarden::interpose {

template <class Scope, class Call>
LOCKWARDEN_INLINE int WaitForSignal(const Scope& scope, const void* condition, const void* mutex,
                                    uint8_t mode_bits, uint64_t site, Call call,
                                    ledger::DescribeLock describe = DescribeCondition) {
  const ledger::LockUse use =
      ledger::IdentifyLock(scope.record(), condition, describe, site, scope.cfa());
  const ledger::PackedRef held = ledger::RecordRelease(scope, mutex);
  const auto* its_mutex = static_cast<const pthread_mutex_t*>(mutex);
  if (held == 0 && !Refuses(its_mutex)) NoteIfOthers(scope, its_mutex, site);
  int rc;
  if (use.ref != 0) {
    ledger::PlainWait wait(
        scope, use.ref | static_cast<uint8_t>(ledger::Mode::kSignal) | mode_bits, condition, held,
        site);
    ledger::NoteConditionMutex(scope, use.ref, held, site);
    rc = call();
  } else {
    rc = call();
  }
  // The mutex is held again whatever the wait returned, also when it was refused at once
  // (EPERM, EINVAL): pushed again. But a robust mutex that was given up while the thread
  // waited (ENOTRECOVERABLE) nobody holds any more.
  if (held != 0 && rc != ENOTRECOVERABLE) ledger::RestoreHeld(scope, held, site);
  return rc;
}

// nptl: the number of waiting threads stands in __wrefs above three bits. A plain look at what
// they write: a signal under their mutex sees them all, another is a hint.
inline bool SomebodyWaits(const void* condition) {
  return PeekWord(&static_cast<const pthread_cond_t*>(condition)->__data.__wrefs) >> 3 != 0;
}

// There is nothing left to note: this thread is known to signal it, and somebody has heard one,
// or so many were not that no more are counted.
LOCKWARDEN_INLINE bool IsNoted(const void* condition, bool heard) {
  const ledger::LockUse use = ledger::LookUpLock(ledger::this_thread.record, condition);
  if (__builtin_expect(use.cached == nullptr, 0)) return false;
  ledger::LockRecord& record = ledger::this_thread.locks[ledger::IndexOf(use.ref)];
  // Relaxed, all: evidence only, and an own field.
  const uint32_t marks = ledger::SignalMarks(record).load(std::memory_order_relaxed);
  const uint64_t by = ledger::Signallers(record).load(std::memory_order_relaxed);  // as above
  const uint32_t serial =
      ledger::this_thread.record->serial.load(std::memory_order_relaxed);  // as above
  const bool known = (marks & ledger::kOthersSignal) != 0 ||
                     static_cast<uint32_t>(by) == serial || by >> 32 == serial;
  const bool counted = (marks & ledger::kSomebodyHeard) != 0 ||
                       (!heard && marks / ledger::kOneUnheard >= ledger::kMostUnheard);
  return known && counted;
}

template <class Call>
LOCKWARDEN_INLINE int SignalHook(uint64_t cfa, uint64_t site, const void* condition, Call call) {
  // Reading needs no frame.
  if (ledger::CanRecordAtOnce() && IsNoted(condition, SomebodyWaits(condition))) return call();
  return ledger::InScope(cfa, call, [=](const auto& scope) {
    ledger::NoteSignal(scope, condition, DescribeCondition, SomebodyWaits(condition), site);
    return call();
  });
}

}  // namespace lockwarden::interpose
