// Barrier: a number of threads wait until all of them have come; then they go on, and it can be
// used again.
//
//   lockwarden::Barrier step(4, [] { Swap(); });   // the last to come swaps, then all go on
//   step.wait();
//
// It breaks if one of those that wait gives up (a time limit), if the action throws, or by abort():
// then whoever waits, and whoever comes, gets BrokenBarrier until reset(). reset() breaks the round
// of those that wait, and it is whole again.
//
// Thread safety: all members may be called by any thread. The destructor waits for threads that
// are on their way out of wait().
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <stdexcept>

#include "lockwarden/deadline.h"
#include "lockwarden/lock.h"

namespace lockwarden {
inline namespace v1 {

// The barrier broke, or was broken, while this thread waited, or before.
class BrokenBarrier : public std::runtime_error {
 public:
  BrokenBarrier() : std::runtime_error("lockwarden::Barrier is broken") {}
};

class Barrier {
 public:
  // `parties` threads make a round; 0 is std::system_error with invalid_argument. `action` is called
  // once a round, by the last to come, before the others go on. `name` as for Lock.
  explicit Barrier(uint32_t parties, std::function<void()> action = {}, const char* name = nullptr);
  ~Barrier();
  Barrier(const Barrier&) = delete;
  Barrier& operator=(const Barrier&) = delete;

  // Which one this thread was in its round: 0 came first. Throws BrokenBarrier, or what the action
  // throws. If the time is up before the others have come the barrier breaks.
  uint32_t wait() { return Wait(internal::Deadline()); }
  template <class Rep, class Period>
  uint32_t wait_for(const std::chrono::duration<Rep, Period>& duration) {
    return Wait(internal::FromNow(duration));
  }
  // `Clock`: steady_clock or system_clock, since a wait that gives up breaks the barrier.
  template <class Duration>
  uint32_t wait_until(const std::chrono::time_point<std::chrono::steady_clock, Duration>& time) {
    return Wait({internal::Nanoseconds(time.time_since_epoch()), false});
  }
  template <class Duration>
  uint32_t wait_until(const std::chrono::time_point<std::chrono::system_clock, Duration>& time) {
    return Wait({internal::Nanoseconds(time.time_since_epoch()), true});
  }

  void abort();
  void reset();

  [[nodiscard]] bool broken() const;
  [[nodiscard]] uint32_t parties() const noexcept { return parties_; }
  // How many wait for the others just now.
  [[nodiscard]] uint32_t waiting() const;
  [[nodiscard]] uint64_t id() { return internal::AssignId(&id_); }  // as for Lock
  [[nodiscard]] const char* name() const noexcept { return name_ == nullptr ? "" : name_; }

 private:
  struct Arrival;
  class Guard;
  class Visit;
  uint32_t Wait(internal::Deadline deadline);
  bool GaveUp(Arrival* own);
  void RunAction(Arrival* round);
  void EndRound(Arrival* round, uint32_t outcome);

  std::atomic<uint32_t> round_{0};    // moves when a round has ended: what is slept on
  std::atomic<uint32_t> visitors_{0};  // inside wait(); top bit: the destructor waits for them
  mutable std::atomic<uint32_t> guard_{0};  // of what follows; held for a moment only
  uint32_t arrived_ = 0;
  bool broken_ = false;
  Arrival* arrivals_ = nullptr;  // of the present round, on the stacks of those that wait
  internal::NotedHelper noted_;
  const uint32_t parties_;
  std::atomic<uint32_t> id_{0};
  const char* name_;
  const std::function<void()> action_;
};

}  // namespace v1
}  // namespace lockwarden
