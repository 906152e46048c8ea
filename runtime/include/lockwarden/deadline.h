// Deadlines of the timed members: std::chrono's durations and time points as the kernel
// takes them. A time in the past is over at once; one beyond what the clock can say (as
// duration::max() is) is no limit at all.
//
// Pure but for FromNow, which reads the steady clock. Thread safety: values.
#pragma once

#include <chrono>
#include <cstdint>
#include <limits>

namespace lockwarden {
inline namespace v1 {
namespace internal {

struct Deadline {
  static constexpr int64_t kNever = std::numeric_limits<int64_t>::max();
  int64_t ns = kNever;    // since the clock's epoch, never negative
  bool realtime = false;  // of system_clock; else of steady_clock
};

// In nanoseconds, rounded up, and cut off at 0 and at kNever. Whatever the unit and the type of
// its count, the comparisons are made where neither can overflow.
template <class Rep, class Period>
int64_t Nanoseconds(const std::chrono::duration<Rep, Period>& duration) {
  const double seconds = std::chrono::duration<double>(duration).count();
  constexpr double kLongest = 9.2e9;  // nearly 2^63 ns
  if (!(seconds > 0)) return 0;       // also what is not a number
  if (seconds >= kLongest) return Deadline::kNever;
  return std::chrono::ceil<std::chrono::nanoseconds>(duration).count();
}

template <class Rep, class Period>
Deadline FromNow(const std::chrono::duration<Rep, Period>& duration) {
  const int64_t now = Nanoseconds(std::chrono::steady_clock::now().time_since_epoch());
  Deadline deadline;
  if (__builtin_add_overflow(now, Nanoseconds(duration), &deadline.ns)) return Deadline();
  return deadline;
}

// Calls attempt(Deadline), which says whether it got what it waits for, until then or until the
// time has come. The clocks that the kernel does not know are asked again: they may run at
// another pace.
template <class Clock, class Duration, class Attempt>
bool Until(const std::chrono::time_point<Clock, Duration>& time, Attempt attempt) {
  if constexpr (std::is_same_v<Clock, std::chrono::steady_clock>) {
    return attempt(Deadline{Nanoseconds(time.time_since_epoch()), false});
  } else if constexpr (std::is_same_v<Clock, std::chrono::system_clock>) {
    return attempt(Deadline{Nanoseconds(time.time_since_epoch()), true});
  } else {
    for (;;) {
      const auto now = Clock::now();
      if (now >= time) return attempt(Deadline{0, false});
      if (attempt(FromNow(time - now))) return true;
    }
  }
}

}  // namespace internal
}  // namespace v1
}  // namespace lockwarden
