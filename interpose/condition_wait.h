// A wait on a condition, whichever interface it came through. It releases the mutex inside
// libc, where no hook sees it, so the hook does: pop the mutex, publish the wait, call,
// clear, push the mutex again.
//
// The call is a cancellation point: the unwinding of a cancelled thread passes through, and
// the next hook of that thread forgets the frame.
#pragma once

#include <cerrno>

#include "interpose/describe.h"
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

}  // namespace lockwarden::interpose
