// Lock: a mutex that knows its owner, takes part in deadlock prediction and detection, and
// otherwise behaves as std::mutex.
//
//   lockwarden::Lock lock;                      // constexpr: usable as a global
//   lockwarden::Lock accounts("accounts");      // a name for reports
//   std::scoped_lock guard(lock);
//   std::unique_lock timed(lock, 100ms);
//
// Thread safety: all members may be called by any thread, except where they say so.
#pragma once

#include <atomic>
#include <cstdint>

#include "absl/base/thread_annotations.h"
#include "lockwarden/deadline.h"
#include "lockwarden/order.h"

namespace lockwarden {
inline namespace v1 {

namespace internal {
// Which thread was last written down as one that ends waits for an object, so that the same one is
// not written down again and again: its tid; top bit: it was seen to find somebody waiting.
struct NotedHelper {
  std::atomic<uint32_t> word{0};
};

// Shared by Lock and RLock. 16 bytes; the word comes first, at the lock's address.
struct LockState {
  std::atomic<uint32_t> word{0};  // 0, or the owner's tid; top bit: others may be asleep
  std::atomic<uint32_t> id{0};    // assigned on first use, ascending; top bit: kHasTraits
  const char* name = nullptr;     // not owned: a literal, or outlives the lock

  constexpr LockState() noexcept = default;
  constexpr explicit LockState(const LockTraits& traits) noexcept
      : id(kHasTraits), name(traits.name()) {}
};
}  // namespace internal

// Meets TimedLockable. Not recursive: a thread that locks it twice gets std::system_error with
// resource_deadlock_would_occur instead of hanging.
class ABSL_LOCKABLE Lock {
 public:
  constexpr Lock() noexcept = default;
  // `name` is kept by pointer: pass a literal, or a string that outlives the lock.
  constexpr explicit Lock(const char* name) noexcept { state_.name = name; }
  // With a class or a rank: see order.h. `traits` must outlive the lock.
  constexpr explicit Lock(const LockTraits& traits) noexcept : state_(traits) {}
  // Must not be held. Ends the lock's identity, so that reused memory is not taken for it.
  ~Lock();
  Lock(const Lock&) = delete;
  Lock& operator=(const Lock&) = delete;

  // Blocks until the lock is held. Throws std::system_error (see above), or
  // LockOrderViolation as the policy has it (order.h).
  void lock() ABSL_EXCLUSIVE_LOCK_FUNCTION();
  // Never blocks; false if it is held, also by the calling thread.
  [[nodiscard]] bool try_lock() ABSL_EXCLUSIVE_TRYLOCK_FUNCTION(true);
  // Blocks until the lock is held, at most that long or until then: false if the time is up, and
  // at once if the calling thread holds it, since nobody else could release it.
  template <class Rep, class Period>
  [[nodiscard]] bool try_lock_for(const std::chrono::duration<Rep, Period>& duration)
      ABSL_EXCLUSIVE_TRYLOCK_FUNCTION(true) {
    return TryLock(internal::FromNow(duration));
  }
  template <class Clock, class Duration>
  [[nodiscard]] bool try_lock_until(const std::chrono::time_point<Clock, Duration>& time)
      ABSL_EXCLUSIVE_TRYLOCK_FUNCTION(true) {
    return internal::Until(time, [this](internal::Deadline deadline) { return TryLock(deadline); });
  }
  // The caller must hold it; else std::system_error with operation_not_permitted.
  void unlock() ABSL_UNLOCK_FUNCTION();

  // Whether some thread held it just now.
  [[nodiscard]] bool locked() const noexcept {
    return state_.word.load(std::memory_order_relaxed) != 0;  // a snapshot: pairs with nothing
  }
  // Unique in the process and ascending; assigned on first use. acquire() sorts by it.
  [[nodiscard]] uint64_t id() { return internal::AssignId(&state_.id); }
  // As in the traits it was given, else 0. acquire() sorts by it before the id.
  [[nodiscard]] int rank() const noexcept { return internal::RankOf(state_.id, state_.name); }
  // As given, or "".
  [[nodiscard]] const char* name() const noexcept {
    return state_.name == nullptr ? "" : state_.name;
  }

 private:
  bool TryLock(internal::Deadline deadline);
  friend struct internal::IdentityAccess;
  internal::LockIdentity identity() noexcept { return {this, &state_.id, state_.name, 11}; }

  internal::LockState state_;
};
static_assert(sizeof(Lock) <= 16);

}  // namespace v1
}  // namespace lockwarden
