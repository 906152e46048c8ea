// The acquire of the linked types that may be refused: by the lock order, or because it would close
// a deadlock. Where nobody has asked for the latter it costs one relaxed load, of a thread that
// waits.
//
// Read by: lock.cc, shared_lock.cc. Must never: acquire anything if it throws.
#pragma once

#include "lockwarden/deadlock.h"
#include "runtime/order_policy.h"
#include "runtime/own_type.h"

namespace lockwarden {
inline namespace v1 {
namespace internal {

// Set by BeginToChooseVictims.
extern std::atomic<bool> victims_are_chosen;

// Throws DeadlockError. kNotRecorded: nothing was done, and this wait is nobody's victim.
__attribute__((cold)) LockAnswer AcquireMayBreak(const LockIdentity& wanted, Mode mode,
                                                 uint64_t site, uint64_t cfa);
// The same of a SharedLock that is held upgradeable; `how` as RecorderApi::convert has it.
__attribute__((cold)) LockAnswer RaiseMayBreak(const LockIdentity& lock, uint32_t how,
                                               uint64_t site, uint64_t cfa);

// Throws LockOrderViolation or DeadlockError. What can be had at once need not come here but for
// the order: only a wait closes a deadlock.
template <class Format, class L>
LOCKWARDEN_INLINE LockAnswer AcquireChecked(L& lock, uint64_t site, uint64_t cfa) {
  CheckOrder(lock, site, cfa);
  const LockIdentity wanted = IdentityAccess::Of(lock);
  // Relaxed: a switch. A thread that sees it late acquires as if just before.
  if (__builtin_expect(victims_are_chosen.load(std::memory_order_relaxed), 0)) {
    const LockAnswer answer = AcquireMayBreak(wanted, Format::mode, site, cfa);
    if (answer != LockAnswer::kNotRecorded) return answer;
  }
  return Acquire<Format>(wanted.lock, static_cast<LockKind>(wanted.kind), 0, site, cfa,
                         wanted.name);
}

}  // namespace internal
}  // namespace v1
}  // namespace lockwarden
