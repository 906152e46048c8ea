// Condition: a condition variable for any of the locks. Behaves as std::condition_variable_any.
//
//   lockwarden::Lock lock;  lockwarden::Condition ready("ready");
//   std::unique_lock hold(lock);
//   ready.wait(hold, [&] { return !queue.empty(); });
//
// The lock may be given as it is (Lock, RLock, SharedLock, held exclusively) or by its guard
// (std::unique_lock, std::shared_lock). An RLock is released with all its levels, and has as many
// after the wait. To wait with a lock that is not held is std::system_error with
// operation_not_permitted.
//
// Of several that sleep one notification wakes the one of the highest real-time priority, else the
// one that has slept longest, as the kernel has it; one that has not fallen asleep yet may be
// faster.
//
// Thread safety: all members may be called by any thread. It may be destroyed as soon as every
// waiter was notified, even if some have not returned yet: the destructor waits for those to leave
// it, which needs neither the lock nor anything else that the caller may hold.
#pragma once

#include <atomic>
#include <condition_variable>  // std::cv_status
#include <cstdint>
#include <type_traits>

#include "absl/base/thread_annotations.h"
#include "lockwarden/deadline.h"
#include "lockwarden/lock.h"
#include "lockwarden/order.h"
#include "lockwarden/rlock.h"

namespace lockwarden {
inline namespace v1 {
namespace internal {

// What a wait is for, as reports call it: ledger::LockKind.
enum class WaitKind : uint32_t { kCondition = 5, kQueue = 15 };

// Throws, and writes it down if `lock` is one of ours.
[[noreturn]] void RefuseWait(const LockIdentity& lock);

// What a wait does with the lock that it was given; the levels are those of an RLock, else 1.
struct ConditionAccess {
  template <class L>
  static auto& LockOf(L& lock) {
    if constexpr (requires { lock.mutex(); }) {
      return *lock.mutex();
    } else {
      return lock;
    }
  }
  template <class L>
  static LockIdentity WhoseIs(L& lock) {
    if constexpr (IsOurs<std::remove_reference_t<decltype(*lock.mutex())>>) {
      if (lock.mutex() != nullptr) return IdentityAccess::Of(*lock.mutex());
    }
    return {};
  }
  template <class L>
  static uint32_t Release(L& lock) ABSL_NO_THREAD_SAFETY_ANALYSIS {
    if constexpr (requires { lock.owns_lock(); }) {
      if (!lock.owns_lock()) RefuseWait(WhoseIs(lock));
    }
    if constexpr (requires { LockOf(lock).ReleaseLevels(); }) {
      return LockOf(lock).ReleaseLevels();
    } else {
      lock.unlock();
      return 1;
    }
  }
  template <class L>
  static void Restore(L& lock, uint32_t levels) ABSL_NO_THREAD_SAFETY_ANALYSIS {
    if constexpr (requires { LockOf(lock).RestoreLevels(levels); }) {
      LockOf(lock).RestoreLevels(levels);
    } else {
      lock.lock();
    }
  }
};

}  // namespace internal

class Condition {
 public:
  constexpr Condition() noexcept = default;
  // `name` as for Lock.
  constexpr explicit Condition(const char* name) noexcept : name_(name) {}
  // For the types that wait by one.
  constexpr Condition(const char* name, internal::WaitKind kind) noexcept
      : name_(name), kind_(kind) {}
  ~Condition();
  Condition(const Condition&) = delete;
  Condition& operator=(const Condition&) = delete;

  // Releases the lock, sleeps until notified, and takes the lock again; may also return for no
  // reason. With a predicate: until that is true. It is called with the lock held, and may throw:
  // the lock is then still held.
  template <class L>
  void wait(L& lock) {
    Wait(lock, internal::Deadline());
  }
  template <class L, class Predicate>
  void wait(L& lock, Predicate predicate) {
    while (!predicate()) Wait(lock, internal::Deadline());
  }
  // At most so long, or until then; with a predicate, what that says in the end.
  template <class L, class Rep, class Period>
  std::cv_status wait_for(L& lock, const std::chrono::duration<Rep, Period>& duration) {
    return Status(Wait(lock, internal::FromNow(duration)));
  }
  template <class L, class Rep, class Period, class Predicate>
  bool wait_for(L& lock, const std::chrono::duration<Rep, Period>& duration,
                Predicate predicate) {
    const internal::Deadline deadline = internal::FromNow(duration);
    while (!predicate()) {
      if (!Wait(lock, deadline)) return predicate();
    }
    return true;
  }
  template <class L, class Clock, class Duration>
  std::cv_status wait_until(L& lock, const std::chrono::time_point<Clock, Duration>& time) {
    return Status(internal::Until(
        time, [&](internal::Deadline deadline) { return Wait(lock, deadline); }));
  }
  template <class L, class Clock, class Duration, class Predicate>
  bool wait_until(L& lock, const std::chrono::time_point<Clock, Duration>& time,
                  Predicate predicate) {
    while (!predicate()) {
      if (wait_until(lock, time) == std::cv_status::timeout) return predicate();
    }
    return true;
  }

  // For the types that wait by one. As wait_until, by a deadline that was made before; false: the
  // time is up. And: the calling thread has done, or will do, what such a wait is for.
  template <class L>
  bool WaitUntil(L& lock, internal::Deadline deadline) {
    return Wait(lock, deadline);
  }
  void NoteHelp() noexcept;

  // Wakes one of those that wait now, or all of them; remembers nothing if there are none. The lock
  // need not be held.
  void notify_one() noexcept;
  void notify_all() noexcept;

  [[nodiscard]] uint64_t id() { return internal::AssignId(&id_); }  // as for Lock
  [[nodiscard]] const char* name() const noexcept { return name_ == nullptr ? "" : name_; }

 private:
  static std::cv_status Status(bool in_time) {
    return in_time ? std::cv_status::no_timeout : std::cv_status::timeout;
  }
  // While one lives the destructor waits; so it is over before the lock is wanted again.
  class Visit {
   public:
    explicit Visit(Condition& condition) : condition_(condition), round_(condition.Enter()) {}
    ~Visit() { condition_.Leave(); }
    Visit(const Visit&) = delete;
    Visit& operator=(const Visit&) = delete;
    bool Sleep(const void* lock, internal::Deadline deadline) {
      return condition_.Sleep(round_, lock, deadline);
    }

   private:
    Condition& condition_;
    const uint32_t round_;
  };
  template <class L>
  bool Wait(L& lock, internal::Deadline deadline) {
    uint32_t levels;
    bool in_time;
    {
      Visit visit(*this);
      levels = internal::ConditionAccess::Release(lock);
      in_time = visit.Sleep(&internal::ConditionAccess::LockOf(lock), deadline);
    }
    // The order was looked at when the lock was first taken. Nothing must be thrown now: a wait ends
    // with the lock held, whatever happens.
    const internal::OrderNotLookedAt relocking;
    const internal::NeverAVictim waits_for_it;
    internal::ConditionAccess::Restore(lock, levels);
    return in_time;
  }
  uint32_t Enter();
  void Leave() noexcept;
  bool Sleep(uint32_t round, const void* lock, internal::Deadline deadline);

  // {round, which every notification that finds a waiter moves on: 32, waiters: 32}
  std::atomic<uint64_t> word_{0};
  std::atomic<uint32_t> visitors_{0};  // inside a wait; top bit: the destructor waits for them
  internal::NotedHelper noted_;
  const char* name_ = nullptr;
  std::atomic<uint32_t> id_{0};
  internal::WaitKind kind_ = internal::WaitKind::kCondition;
};

}  // namespace v1
}  // namespace lockwarden
