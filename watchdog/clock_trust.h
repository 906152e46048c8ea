// ClockTrust: whether time has passed for the program as it has for the clock. After a look
// that came much too late (the watchdog was stopped or starved, the virtual machine paused) or
// a suspend, nobody could beat: every deadline counts from then on.
//
// Written and read by: the supervisor's loop. Time is given, never read. Must never: excuse a
// look that came a little late.
#pragma once

#include <cstdint>
#include <map>
#include <string>

namespace lockwarden {

class ClockTrust {
 public:
  struct Clocks {
    uint64_t monotonic_ns = 0;  // stands still while the machine is suspended
    uint64_t boottime_ns = 0;   // does not
  };

  // A look that was due at `planned_ns` (CLOCK_MONOTONIC; 0: the first). Returns why the time
  // before it does not count: "late", "suspend"; null: it does.
  const char* Look(Clocks now, uint64_t planned_ns);

  // Deadlines count from here at the earliest; 0: nothing has happened yet.
  uint64_t trusted_since_ns() const { return trusted_since_ns_; }
  // By cause, both there from the start.
  const std::map<std::string, uint64_t>& jumps() const { return jumps_; }

 private:
  uint64_t trusted_since_ns_ = 0;
  uint64_t suspended_ns_ = 0;
  bool looked_ = false;
  std::map<std::string, uint64_t> jumps_ = {{"late", 0}, {"suspend", 0}};
};

}  // namespace lockwarden
