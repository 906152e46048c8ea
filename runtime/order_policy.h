// Lock order, on the linked types' side: decides whether an acquisition goes against it and
// what becomes of that. The rules are in lockwarden/order.h; what is held, the recorder knows.
//
// Where nobody has declared a class, a rank, an order or a policy, all of it costs one relaxed
// load an acquisition.
//
// Written by: whoever declares. Read by: lock.cc and the other types, before they block.
// Must never: acquire or release anything on the program's behalf.
#pragma once

#include <atomic>

#include "lockwarden/order.h"
#include "runtime/order_api.h"
#include "runtime/the_recorder.h"

namespace lockwarden {
inline namespace v1 {
namespace internal {

// The recorder's table; null: there is none of our version.
const ledger::OrderApi* OrderRecorder();

// From now on every acquisition is looked at.
inline void BeginToCheckOrder() {
  // Relaxed: a switch. A thread that sees it late acquires as if just before.
  ledger::linked_wants.fetch_or(ledger::kWantsCheck, std::memory_order_relaxed);
}

// From now on the policy of a lock is looked at before a wait for it (deadlock_policy.h).
void BeginToChooseVictims();

// Throws LockOrderViolation, or does not return, as the policy has it.
__attribute__((cold)) void CheckOrderSlow(const LockIdentity& wanted, uint64_t site, uint64_t cfa);

// Before a lock is acquired that the thread would wait for.
template <class L>
__attribute__((always_inline)) inline void CheckOrder(L& wanted, uint64_t site, uint64_t cfa) {
  // Relaxed: as above.
  if (__builtin_expect(
          (ledger::linked_wants.load(std::memory_order_relaxed) & ledger::kWantsCheck) != 0, 0)) {
    CheckOrderSlow(IdentityAccess::Of(wanted), site, cfa);
  }
}

// The policy in force for a lock with these traits (null: none); kDefault if none was set.
OrderPolicy PolicyFor(const LockTraits* traits);
// Reports, throws or aborts. `wanted.lock` null: no lock is wanted.
void ActOnViolation(OrderPolicy policy, const LockIdentity& wanted, const ledger::HoldView& held,
                    ledger::OrderRule rule, uint64_t site, uint64_t cfa);
// `lock` null: what is held is of another kind.
LockIdentity IdentityOf(const ledger::HoldView& held);

// Writes down that a call was refused, or that what is held is destroyed.
__attribute__((cold)) void NoteMisuse(ledger::MisuseKind kind, const LockIdentity& lock,
                                      uint64_t site, uint64_t cfa);

// As far as a thread's held locks are looked at, newest first.
inline constexpr uint32_t kHoldsLookedAt = 64;

}  // namespace internal
}  // namespace v1
}  // namespace lockwarden
