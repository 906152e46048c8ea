// RLock: a Lock that its owner may take again; it is free when every level was released.
// Behaves as std::recursive_timed_mutex.
//
// Thread safety: all members may be called by any thread.
#pragma once

#include <cstdint>

#include "absl/base/thread_annotations.h"
#include "lockwarden/lock.h"

namespace lockwarden {
inline namespace v1 {

namespace internal {
struct ConditionAccess;
}

class ABSL_LOCKABLE RLock {
 public:
  constexpr RLock() noexcept = default;
  // `name` as for Lock.
  constexpr explicit RLock(const char* name) noexcept { state_.name = name; }
  constexpr explicit RLock(const LockTraits& traits) noexcept : state_(traits) {}
  ~RLock();
  RLock(const RLock&) = delete;
  RLock& operator=(const RLock&) = delete;

  // Blocks until the lock is held, unless the caller holds it already.
  void lock() ABSL_EXCLUSIVE_LOCK_FUNCTION();
  // Never blocks; true if the caller holds it now, perhaps once more.
  [[nodiscard]] bool try_lock() ABSL_EXCLUSIVE_TRYLOCK_FUNCTION(true);
  // As try_lock, but waits at most that long, or until then.
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
  // Undoes one level. The caller must hold it; else std::system_error with
  // operation_not_permitted.
  void unlock() ABSL_UNLOCK_FUNCTION();

  // Whether some thread held it just now.
  [[nodiscard]] bool locked() const noexcept {
    return state_.word.load(std::memory_order_relaxed) != 0;  // a snapshot: pairs with nothing
  }
  [[nodiscard]] uint64_t id() { return internal::AssignId(&state_.id); }  // as for Lock
  [[nodiscard]] int rank() const noexcept { return internal::RankOf(state_.id, state_.name); }  // as for Lock
  [[nodiscard]] const char* name() const noexcept {
    return state_.name == nullptr ? "" : state_.name;
  }

 private:
  friend struct internal::ConditionAccess;
  // All levels at once, and as many again. The caller holds it; see unlock().
  uint32_t ReleaseLevels();
  void RestoreLevels(uint32_t levels);
  bool TryLock(internal::Deadline deadline);
  friend struct internal::IdentityAccess;
  internal::LockIdentity identity() noexcept { return {this, &state_.id, state_.name, 12}; }

  internal::LockState state_;
  // Levels beyond the first. Written by the owner; others only see it where they are told
  // that they do not own the lock.
  std::atomic<uint32_t> depth_{0};
};

}  // namespace v1
}  // namespace lockwarden
