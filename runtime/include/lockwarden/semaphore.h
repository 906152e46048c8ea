// Semaphore and BoundedSemaphore: units that are taken and given back, by the same thread or by
// another. Behave as std::counting_semaphore.
//
//   lockwarden::Semaphore slots(4, "slots");
//   slots.acquire();   ...   slots.release();
//
// A BoundedSemaphore never has more units than it began with: to release one that was not acquired
// is an error. A thread that acquired a unit and has not released since is taken to hold it, until a
// thread releases one that holds none: from then on units are handed over, and nobody's.
//
// Thread safety: all members may be called by any thread. It may be destroyed by whoever acquired
// the last unit that will ever be released.
#pragma once

#include <atomic>
#include <cstdint>

#include "lockwarden/deadline.h"
#include "lockwarden/lock.h"

namespace lockwarden {
inline namespace v1 {

class Semaphore {
 public:
  static constexpr uint32_t max() noexcept { return 0x7fffffffu; }
  // Begins with so many units, at most max(). `name` as for Lock.
  constexpr explicit Semaphore(uint32_t units, const char* name = nullptr) noexcept
      : Semaphore(units, max(), name) {}
  ~Semaphore();
  Semaphore(const Semaphore&) = delete;
  Semaphore& operator=(const Semaphore&) = delete;

  // Takes a unit, or waits for one.
  void acquire();
  [[nodiscard]] bool try_acquire();
  template <class Rep, class Period>
  [[nodiscard]] bool try_acquire_for(const std::chrono::duration<Rep, Period>& duration) {
    return TryAcquire(internal::FromNow(duration));
  }
  template <class Clock, class Duration>
  [[nodiscard]] bool try_acquire_until(const std::chrono::time_point<Clock, Duration>& time) {
    return internal::Until(time,
                           [this](internal::Deadline deadline) { return TryAcquire(deadline); });
  }
  // Gives units. More than the semaphore may have: std::system_error with value_too_large, and none
  // are given.
  void release(uint32_t units = 1);

  // How many units were left just now.
  [[nodiscard]] uint32_t value() const noexcept {
    return static_cast<uint32_t>(word_.load(std::memory_order_relaxed));  // a snapshot
  }
  [[nodiscard]] uint64_t id() { return internal::AssignId(&id_); }  // as for Lock
  [[nodiscard]] const char* name() const noexcept { return name_ == nullptr ? "" : name_; }

 protected:
  constexpr Semaphore(uint32_t units, uint32_t bound, const char* name) noexcept
      : word_(units), name_(name), bound_(bound) {}

 private:
  bool TryAcquire(internal::Deadline deadline);

  // As glibc's sem_t has it, so that the judge reads it in the same way.
  std::atomic<uint64_t> word_;  // {units: 32, waiters: 32}
  [[maybe_unused]] const uint32_t shared_ = 0;  // not between processes
  std::atomic<uint32_t> id_{0};
  const char* name_;
  const uint32_t bound_;
};

class BoundedSemaphore : public Semaphore {
 public:
  constexpr explicit BoundedSemaphore(uint32_t units, const char* name = nullptr) noexcept
      : Semaphore(units, units, name) {}
};

}  // namespace v1
}  // namespace lockwarden
