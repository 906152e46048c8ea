// Asks the lock, and the recorder where the lock cannot know, what the calling thread holds.
#include "lockwarden/assertions.h"

#include <cstdio>
#include <cstdlib>

#include "runtime/order_policy.h"
#include "runtime/recorder.h"
#include "runtime/shared_word.h"
#include "runtime/the_recorder.h"

namespace lockwarden {
inline namespace v1 {
namespace {

using internal::LockIdentity;
using ledger::HoldView;
using ledger::LockKind;
using ledger::Mode;

[[noreturn]] void Fail(const char* assertion, const LockIdentity& lock, const char* what) {
  std::fprintf(stderr, "lockwarden: %s: lock %u%s%s%s is %s by this thread\n", assertion,
               internal::AssignId(lock.id), lock.name == nullptr ? "" : " \"",
               lock.name == nullptr ? "" : lock.name, lock.name == nullptr ? "" : "\"", what);
  std::abort();
}

// The lock's own word says so, recorded or not.
bool HeldExclusively(const LockIdentity& lock) {
  const ledger::Self self = ledger::ThisSelf();
  return lock.kind == static_cast<uint8_t>(LockKind::kSharedLock)
             ? ledger::OwnExclusive::MayRelease(lock.lock, self)
             : ledger::OwnLock::HeldBy(lock.lock, self);
}

// Who reads stands in no word: the recorder knows, if it has missed nothing.
Mode ModeOfHold(const LockIdentity& lock, Mode if_unknown) {
  if (lock.kind != static_cast<uint8_t>(LockKind::kSharedLock)) return Mode::kNone;
  if (ledger::OwnSharedWord::HeldBy(lock.lock, ledger::ThisSelf())) return Mode::kUpgrade;
  const ledger::OrderApi* const api = internal::OrderRecorder();
  const uint8_t mode = api == nullptr ? ledger::kModeNotKnown : api->mode_held(lock.lock);
  return mode == ledger::kModeNotKnown ? if_unknown : static_cast<Mode>(mode);
}

// The newest that counts; `lock` null: none does.
HoldView AnyHold() {
  HoldView views[internal::kHoldsLookedAt];
  const ledger::OrderApi* const api = internal::OrderRecorder();
  for (uint32_t i = api == nullptr ? 0 : api->held(views, internal::kHoldsLookedAt); i-- > 0;) {
    if (ledger::ModeOf(views[i].ref) != Mode::kUnit) return views[i];
  }
  return {};
}

void LookAtScope(OrderPolicy policy, uint64_t site, uint64_t cfa) {
  if (policy == OrderPolicy::kOff) return;
  const HoldView held = AnyHold();
  if (held.lock == nullptr) return;
  internal::ActOnViolation(policy, {}, held, ledger::OrderRule::kNoLocks, site, cfa);
}

}  // namespace

void internal::AssertHeld(const LockIdentity& lock) {
  if (HeldExclusively(lock)) return;
  const bool otherwise = ModeOfHold(lock, Mode::kNone) != Mode::kNone;
  Fail("assert_held", lock, otherwise ? "not held exclusively" : "not held");
}

void internal::AssertHeldShared(const LockIdentity& lock) {
  if (HeldExclusively(lock) || ModeOfHold(lock, Mode::kShared) != Mode::kNone) return;
  Fail("assert_held_shared", lock, "not held");
}

void internal::AssertNotHeld(const LockIdentity& lock) {
  if (!HeldExclusively(lock) && ModeOfHold(lock, Mode::kNone) == Mode::kNone) return;
  Fail("assert_not_held", lock, "held");
}

NoLocksAllowed::NoLocksAllowed() { LookAtScope(order_policy(), LOCKWARDEN_SITE, LOCKWARDEN_CFA); }
NoLocksAllowed::~NoLocksAllowed() {
  const OrderPolicy policy = order_policy();
  LookAtScope(policy == OrderPolicy::kThrow ? OrderPolicy::kReport : policy, LOCKWARDEN_SITE,
              LOCKWARDEN_CFA);
}

}  // namespace v1
}  // namespace lockwarden
