// A round that notifications move on, and how many wait, in one word: whoever enlists in a round
// sleeps until it is another one. A notification takes its waiter off the count, so that a waiter
// need not come back to the word, which may be gone when it wakes. The count may be too high (a
// waiter gave up, or woke without being the one that was meant), never too low: the price is a
// wake-up call that finds nobody.
//
// A sleep begins between two looks at the same round unless 2^32 notifications come in between.
//
// Relaxed, all: the lock that waiter and notifier hold in turn orders what they do; the word
// orders nothing.
#include "lockwarden/condition.h"

#include "runtime/order_policy.h"
#include "runtime/own_type.h"

namespace lockwarden {
inline namespace v1 {
namespace {

constexpr uint64_t kRound = 0xffffffffu;
constexpr uint64_t kOneWaiter = uint64_t{1} << 32;

static_assert(static_cast<uint32_t>(internal::WaitKind::kCondition) ==
              static_cast<uint32_t>(internal::LockKind::kCondition));
static_assert(static_cast<uint32_t>(internal::WaitKind::kQueue) ==
              static_cast<uint32_t>(internal::LockKind::kQueue));

uint64_t NextRound(uint64_t word) { return (word + 1) & kRound; }

}  // namespace

void internal::RefuseWait(const LockIdentity& lock) {
  if (lock.lock != nullptr) {
    NoteMisuse(ledger::MisuseKind::kUnlockNotOwner, lock, LOCKWARDEN_SITE, LOCKWARDEN_CFA);
  }
  Throw(std::errc::operation_not_permitted,
        "lockwarden::Condition waited for with a lock that is not held");
}

Condition::~Condition() { ledger::TheRecorder()->end_life(&word_, LOCKWARDEN_CFA); }

uint32_t Condition::Enlist() {
  return static_cast<uint32_t>(word_.fetch_add(kOneWaiter, std::memory_order_relaxed));  // above
}

bool Condition::Sleep(uint32_t round, const void* lock, internal::Deadline deadline) {
  return internal::Sleep({.object = &word_,
                          .word = &word_,
                          .expected = round,
                          .lock = lock,
                          .name = name_,
                          .site = LOCKWARDEN_SITE,
                          .cfa = LOCKWARDEN_CFA},
                         static_cast<internal::LockKind>(kind_), internal::Mode::kSignal,
                         deadline);
}

void Condition::notify_one() noexcept {
  uint64_t seen = word_.load(std::memory_order_relaxed);  // see above
  while (seen >= kOneWaiter) {
    const uint64_t fewer = (seen & ~kRound) - kOneWaiter;
    // As above.
    if (word_.compare_exchange_weak(seen, fewer | NextRound(seen), std::memory_order_relaxed)) {
      return ledger::FutexWake(&word_, 1);
    }
  }
}

void Condition::notify_all() noexcept {
  uint64_t seen = word_.load(std::memory_order_relaxed);  // see above
  while (seen >= kOneWaiter) {
    if (word_.compare_exchange_weak(seen, NextRound(seen), std::memory_order_relaxed)) {  // above
      return ledger::FutexWake(&word_, ledger::kWakeAll);
    }
  }
}

}  // namespace v1
}  // namespace lockwarden
