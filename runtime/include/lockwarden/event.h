// Event: a flag that threads wait for.
//
//   lockwarden::Event stop("stop");
//   while (!stop.wait_for(100ms)) Beat();     // and elsewhere: stop.set();
//
// What was done before set() is seen after wait(). Whoever waits when it is set goes on, even if it
// is cleared again at once.
//
// Thread safety: all members may be called by any thread. It may be destroyed by the last thread
// that waits for it, although set() may not have returned yet.
#pragma once

#include <atomic>
#include <cstdint>

#include "lockwarden/deadline.h"
#include "lockwarden/lock.h"

namespace lockwarden {
inline namespace v1 {

class Event {
 public:
  constexpr Event() noexcept = default;
  // `name` as for Lock.
  constexpr explicit Event(const char* name) noexcept { state_.name = name; }
  ~Event();
  Event(const Event&) = delete;
  Event& operator=(const Event&) = delete;

  void set() noexcept;
  void clear() noexcept;
  [[nodiscard]] bool is_set() const noexcept;

  // Returns at once if it is set. False: the time is up.
  void wait() { Wait(internal::Deadline()); }
  template <class Rep, class Period>
  [[nodiscard]] bool wait_for(const std::chrono::duration<Rep, Period>& duration) {
    return Wait(internal::FromNow(duration));
  }
  template <class Clock, class Duration>
  [[nodiscard]] bool wait_until(const std::chrono::time_point<Clock, Duration>& time) {
    return internal::Until(time, [this](internal::Deadline deadline) { return Wait(deadline); });
  }

  [[nodiscard]] uint64_t id() { return internal::AssignId(&state_.id); }  // as for Lock
  [[nodiscard]] const char* name() const noexcept {
    return state_.name == nullptr ? "" : state_.name;
  }

 private:
  bool Wait(internal::Deadline deadline);

  internal::LockState state_;  // the word is not a lock's: see event.cc
  internal::NotedHelper noted_;
};

}  // namespace v1
}  // namespace lockwarden
