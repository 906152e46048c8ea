// SharedLock: a read-write lock with a third mode, upgradeable: it reads beside other readers,
// and may become the writer without letting go. Behaves as std::shared_timed_mutex, and has
// Boost's names for the third mode.
//
//   std::shared_lock read(lock);   std::unique_lock write(lock);
//
//   lock.lock_upgrade();                // read, beside readers
//   if (must_change) {
//     lock.unlock_upgrade_and_lock();   // waits for the readers, not for another upgrader
//     lock.unlock();
//   } else {
//     lock.unlock_upgrade();
//   }
//
// Two readers that both want to write would wait for each other for ever. So there is one
// upgradeable holder at a time, and a reader cannot upgrade: a thread that holds the lock and asks
// for more gets std::system_error with resource_deadlock_would_occur. (A reader is known to hold it
// only while Lockwarden records.) A waiting writer keeps new readers out and so is not starved;
// a thread that reads must not lock_shared() again, since a writer may wait in between.
//
// Thread safety: all members may be called by any thread.
#pragma once

#include <atomic>
#include <cstdint>

#include "absl/base/thread_annotations.h"
#include "lockwarden/deadline.h"
#include "lockwarden/lock.h"

namespace lockwarden {
inline namespace v1 {

// Meets SharedTimedLockable. At most 2^28 - 1 readers at once.
class ABSL_LOCKABLE SharedLock {
 public:
  constexpr SharedLock() noexcept = default;
  // `name` as for Lock.
  constexpr explicit SharedLock(const char* name) noexcept : name_(name) {}
  // As for Lock.
  constexpr explicit SharedLock(const LockTraits& traits) noexcept
      : name_(traits.name()), id_(internal::kHasTraits) {}
  ~SharedLock();
  SharedLock(const SharedLock&) = delete;
  SharedLock& operator=(const SharedLock&) = delete;

  // Exclusive. unlock() by a thread that does not hold it so is std::system_error with
  // operation_not_permitted, as are unlock_shared() and unlock_upgrade() likewise.
  void lock() ABSL_EXCLUSIVE_LOCK_FUNCTION();
  [[nodiscard]] bool try_lock() ABSL_EXCLUSIVE_TRYLOCK_FUNCTION(true);
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
  void unlock() ABSL_UNLOCK_FUNCTION();

  // Shared.
  void lock_shared() ABSL_SHARED_LOCK_FUNCTION();
  [[nodiscard]] bool try_lock_shared() ABSL_SHARED_TRYLOCK_FUNCTION(true);
  template <class Rep, class Period>
  [[nodiscard]] bool try_lock_shared_for(const std::chrono::duration<Rep, Period>& duration)
      ABSL_SHARED_TRYLOCK_FUNCTION(true) {
    return TryLockShared(internal::FromNow(duration));
  }
  template <class Clock, class Duration>
  [[nodiscard]] bool try_lock_shared_until(const std::chrono::time_point<Clock, Duration>& time)
      ABSL_SHARED_TRYLOCK_FUNCTION(true) {
    return internal::Until(
        time, [this](internal::Deadline deadline) { return TryLockShared(deadline); });
  }
  void unlock_shared() ABSL_UNLOCK_FUNCTION();

  // Upgradeable: to read, perhaps to write later. One thread at a time, beside readers.
  void lock_upgrade() ABSL_SHARED_LOCK_FUNCTION();
  [[nodiscard]] bool try_lock_upgrade() ABSL_SHARED_TRYLOCK_FUNCTION(true);
  template <class Rep, class Period>
  [[nodiscard]] bool try_lock_upgrade_for(const std::chrono::duration<Rep, Period>& duration)
      ABSL_SHARED_TRYLOCK_FUNCTION(true) {
    return TryLockUpgrade(internal::FromNow(duration));
  }
  template <class Clock, class Duration>
  [[nodiscard]] bool try_lock_upgrade_until(const std::chrono::time_point<Clock, Duration>& time)
      ABSL_SHARED_TRYLOCK_FUNCTION(true) {
    return internal::Until(
        time, [this](internal::Deadline deadline) { return TryLockUpgrade(deadline); });
  }
  void unlock_upgrade() ABSL_UNLOCK_FUNCTION();

  // From one mode to another, with no other writer in between; std::system_error with
  // operation_not_permitted if the caller does not hold it in the first. Those that can fail, or
  // throw, leave it upgradeable. Clang's analysis has no words for these: it takes the mode as it
  // was before, so what needs the other one is put into a function that requires it.
  void unlock_upgrade_and_lock();
  [[nodiscard]] bool try_unlock_upgrade_and_lock();
  template <class Rep, class Period>
  [[nodiscard]] bool try_unlock_upgrade_and_lock_for(
      const std::chrono::duration<Rep, Period>& duration) {
    return TryUpgrade(internal::FromNow(duration));
  }
  template <class Clock, class Duration>
  [[nodiscard]] bool try_unlock_upgrade_and_lock_until(
      const std::chrono::time_point<Clock, Duration>& time) {
    return internal::Until(time,
                           [this](internal::Deadline deadline) { return TryUpgrade(deadline); });
  }
  void unlock_and_lock_upgrade();
  void unlock_and_lock_shared();
  void unlock_upgrade_and_lock_shared();

  // Whether some thread held it just now, in whatever mode.
  [[nodiscard]] bool locked() const noexcept {
    return word_.load(std::memory_order_relaxed) != 0;  // a snapshot: pairs with nothing
  }
  [[nodiscard]] uint64_t id() { return internal::AssignId(&id_); }  // as for Lock
  [[nodiscard]] int rank() const noexcept { return internal::RankOf(id_, name_); }  // the same
  [[nodiscard]] const char* name() const noexcept { return name_ == nullptr ? "" : name_; }

 private:
  friend struct internal::IdentityAccess;
  internal::LockIdentity identity() noexcept { return {this, &id_, name_, 13}; }

  bool TryLock(internal::Deadline deadline);
  bool TryLockShared(internal::Deadline deadline);
  bool TryLockUpgrade(internal::Deadline deadline);
  bool TryUpgrade(internal::Deadline deadline);

  std::atomic<uint64_t> word_{0};  // who holds it; the judge reads it, too
  const char* name_ = nullptr;
  std::atomic<uint32_t> id_{0};
};

}  // namespace v1
}  // namespace lockwarden
