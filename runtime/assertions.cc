// Asks the recorder what the calling thread holds.
#include "lockwarden/assertions.h"

#include <cstdio>
#include <cstdlib>

#include "runtime/order_policy.h"
#include "runtime/recorder.h"

namespace lockwarden {
inline namespace v1 {
namespace {

using internal::LockIdentity;
using ledger::HoldView;
using ledger::Mode;

[[noreturn]] void Fail(const char* assertion, const LockIdentity& lock, const char* what) {
  std::fprintf(stderr, "lockwarden: %s: lock %u%s%s%s is %s by this thread\n", assertion,
               internal::AssignId(lock.id), lock.name == nullptr ? "" : " \"",
               lock.name == nullptr ? "" : lock.name, lock.name == nullptr ? "" : "\"", what);
  std::abort();
}

// How the thread holds it; kNone also where it is not known.
struct Answer {
  bool known = false;
  Mode mode = Mode::kNone;
};
Answer Ask(const LockIdentity& lock) {
  const ledger::OrderApi* const api = internal::OrderRecorder();
  if (api == nullptr) return {};
  const uint8_t mode = api->mode_held(lock.lock);
  if (mode == ledger::kModeNotKnown) return {};
  return {true, static_cast<Mode>(mode)};
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
  const Answer answer = Ask(lock);
  if (answer.known && answer.mode != Mode::kExclusive) {
    Fail("assert_held", lock, answer.mode == Mode::kNone ? "not held" : "not held exclusively");
  }
}

void internal::AssertHeldShared(const LockIdentity& lock) {
  const Answer answer = Ask(lock);
  if (answer.known && answer.mode == Mode::kNone) Fail("assert_held_shared", lock, "not held");
}

void internal::AssertNotHeld(const LockIdentity& lock) {
  if (Ask(lock).mode != Mode::kNone) Fail("assert_not_held", lock, "held");
}

NoLocksAllowed::NoLocksAllowed() { LookAtScope(order_policy(), LOCKWARDEN_SITE, LOCKWARDEN_CFA); }
NoLocksAllowed::~NoLocksAllowed() {
  const OrderPolicy policy = order_policy();
  LookAtScope(policy == OrderPolicy::kThrow ? OrderPolicy::kReport : policy, LOCKWARDEN_SITE,
              LOCKWARDEN_CFA);
}

}  // namespace v1
}  // namespace lockwarden
