// Lock classes and what is declared of them.
//
//   C1 list head = link   release   pairs with C2: the link and all behind it are whole
//   C2 list head          acquire
#include <cstring>
#include <system_error>

#include "runtime/futex_lock.h"
#include "runtime/order_policy.h"
#include "runtime/the_recorder.h"

namespace lockwarden {
inline namespace v1 {
namespace {

std::atomic<uint32_t> declaring{0};  // a futex_lock.h word: one declaration at a time

class Declaring {
 public:
  Declaring() { ledger::FutexLock(&declaring, ledger::ThisSelf().tid); }
  ~Declaring() { ledger::FutexUnlock(&declaring); }
  Declaring(const Declaring&) = delete;
  Declaring& operator=(const Declaring&) = delete;
};

}  // namespace

LockTraits::LockTraits(const char* name, LockClass* lock_class, int rank)
    : class_(lock_class),
      rank_(rank != kNoRank || lock_class == nullptr ? rank : lock_class->rank()) {
  std::strncpy(name_, name, kNameSize - 1);
  // A lock that stands nowhere is only named.
  if (class_ != nullptr || rank_ != kNoRank) internal::BeginToCheckOrder();
}

LockClass::LockClass(const char* name, LockClassOptions options)
    : LockTraits(name, nullptr, options.rank),
      unordered_(options.unordered),
      policy_(options.policy),
      deadlock_policy_(options.on_deadlock) {
  class_ = this;
  internal::BeginToCheckOrder();
  if (options.on_deadlock == DeadlockPolicy::kThrow) internal::BeginToChooseVictims();
}

void LockClass::set_policy(OrderPolicy policy) noexcept {
  policy_.store(policy, std::memory_order_relaxed);  // a switch
}
OrderPolicy LockClass::policy() const noexcept {
  return policy_.load(std::memory_order_relaxed);  // a switch
}

void LockClass::set_deadlock_policy(DeadlockPolicy policy) noexcept {
  deadlock_policy_.store(policy, std::memory_order_relaxed);  // a switch
  if (policy == DeadlockPolicy::kThrow) internal::BeginToChooseVictims();
}
DeadlockPolicy LockClass::deadlock_policy() const noexcept {
  return deadlock_policy_.load(std::memory_order_relaxed);  // a switch
}

// The caller is the only one that declares now.
void LockClass::Add(std::atomic<Link*>* list, LockClass* other) {
  Link* const first = list->load(std::memory_order_relaxed);  // only this thread writes it now
  for (const Link* link = first; link != nullptr; link = link->next) {
    if (link->other == other) return;
  }
  list->store(new Link{other, first}, std::memory_order_release);  // C1
}

bool comes_before(const LockClass& before, const LockClass& after) noexcept {
  const LockClass::Link* link = before.after_.load(std::memory_order_acquire);  // C2
  for (; link != nullptr; link = link->next) {
    if (link->other == &after) return true;
  }
  return false;
}

void order(LockClass& before, LockClass& after) {
  const Declaring guard;
  if (&before == &after || comes_before(after, before)) {
    throw std::system_error(std::make_error_code(std::errc::invalid_argument),
                            "lockwarden::order: the opposite order is declared");
  }
  // All that must come before `before` must come before all that must come after `after`.
  const auto with_later = [&](LockClass* earlier) {
    const auto add = [&](LockClass* later) {
      LockClass::Add(&earlier->after_, later);
      LockClass::Add(&later->before_, earlier);
    };
    add(&after);
    // Acquire: C2.
    for (auto* link = after.after_.load(std::memory_order_acquire); link; link = link->next) {
      add(link->other);
    }
  };
  with_later(&before);
  // Acquire: C2.
  for (auto* link = before.before_.load(std::memory_order_acquire); link; link = link->next) {
    with_later(link->other);
  }
  internal::BeginToCheckOrder();
}

}  // namespace v1
}  // namespace lockwarden
