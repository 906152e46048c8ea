// A round that notifications move on, and how many wait, in one word: whoever enlists in a round
// sleeps until it is another one. A notification takes its waiter off the count. The count may be
// too high (a waiter gave up, or woke without being the one that was meant), never too low: the
// price is a wake-up call that finds nobody.
//
// A sleep begins between two looks at the same round unless 2^32 notifications come in between.
//
// Relaxed, all of the word: the lock that waiter and notifier hold in turn orders what they do; the
// word orders nothing. Whoever was notified may still be on its way into the sleep or out of it:
// the memory must be the condition's until then, or it might sleep on what stands there next.
//
//   C1 visitors   fetch_sub release, the last touch of a visitor; pairs with C2
//   C2 visitors   load acquire   the destructor's last look
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

constexpr uint32_t kDestroyer = 0x80000000u;

uint64_t NextRound(uint64_t word) { return (word + 1) & kRound; }

}  // namespace

void internal::RefuseWait(const LockIdentity& lock) {
  if (lock.lock != nullptr) {
    NoteMisuse(ledger::MisuseKind::kUnlockNotOwner, lock, LOCKWARDEN_SITE, LOCKWARDEN_CFA);
  }
  Throw(std::errc::operation_not_permitted,
        "lockwarden::Condition waited for with a guard that holds no lock");
}

Condition::~Condition() {
  uint32_t seen = visitors_.load(std::memory_order_acquire);  // C2
  if (seen != 0) {
    seen = visitors_.fetch_or(kDestroyer, std::memory_order_acquire) | kDestroyer;  // C2
  }
  while ((seen & ~kDestroyer) != 0) {
    internal::Sleep({.object = &word_,
                     .word = &visitors_,
                     .expected = seen,
                     .name = name_,
                     .site = LOCKWARDEN_SITE,
                     .cfa = LOCKWARDEN_CFA},
                    static_cast<internal::LockKind>(kind_), internal::Mode::kArrive, {});
    seen = visitors_.load(std::memory_order_acquire);  // C2
  }
  ledger::TheRecorder()->end_life(&word_, LOCKWARDEN_CFA);
}

uint32_t Condition::Enter() {
  visitors_.fetch_add(1, std::memory_order_relaxed);  // C1 and C2 order what matters
  return static_cast<uint32_t>(word_.fetch_add(kOneWaiter, std::memory_order_relaxed));  // above
}

void Condition::Leave() noexcept {
  const uint32_t before = visitors_.fetch_sub(1, std::memory_order_release);  // C1
  if (before == (kDestroyer | 1)) ledger::FutexWake(&visitors_, 1);
}

void Condition::NoteHelp() noexcept {
  if (internal::IsNoted(noted_, /*heard=*/false)) return;
  internal::NoteHelp(&noted_, &word_, static_cast<internal::LockKind>(kind_), name_,
                     /*heard=*/false, LOCKWARDEN_SITE, LOCKWARDEN_CFA);
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

// `heard` is a hint: who is counted may have given up.
void Condition::notify_one() noexcept {
  uint64_t seen = word_.load(std::memory_order_relaxed);  // see above
  const bool heard = seen >= kOneWaiter;
  if (__builtin_expect(!internal::IsNoted(noted_, heard), 0)) {
    internal::NoteHelp(&noted_, &word_, static_cast<internal::LockKind>(kind_), name_, heard,
                       LOCKWARDEN_SITE, LOCKWARDEN_CFA);
  }
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
  const bool heard = seen >= kOneWaiter;
  if (__builtin_expect(!internal::IsNoted(noted_, heard), 0)) {
    internal::NoteHelp(&noted_, &word_, static_cast<internal::LockKind>(kind_), name_, heard,
                       LOCKWARDEN_SITE, LOCKWARDEN_CFA);
  }
  while (seen >= kOneWaiter) {
    if (word_.compare_exchange_weak(seen, NextRound(seen), std::memory_order_relaxed)) {  // above
      return ledger::FutexWake(&word_, ledger::kWakeAll);
    }
  }
}

}  // namespace v1
}  // namespace lockwarden
