// HeartbeatTotals: the heartbeats of all processes, by name, as metrics show them. Counts go on
// over exits and restarts; names are bounded, what is beyond them is called "other".
//
// Written and read by: the supervisor's loop. A value. Must never: show a pid or a thread.
#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "watchdog/metrics_view.h"
#include "watchdog/stall_watch.h"

namespace lockwarden {

class HeartbeatTotals {
 public:
  static constexpr size_t kMostNames = 256;

  // A process as it is now, by both clocks, read together.
  void Add(const Snapshot& snapshot, const StallWatch& stalls, uint64_t monotonic_ns,
           double realtime_seconds);
  // The same of one that has ended: only what was counted is left of it.
  void AddEnded(const Snapshot& snapshot, const StallWatch& stalls);
  void CopyTo(MetricsView* view) const;

 private:
  HeartbeatMetrics& At(const std::string& name);
  void AddCounts(const Snapshot& snapshot, const StallWatch& stalls);

  std::map<std::string, HeartbeatMetrics> by_name_;
  std::map<std::string, uint64_t> stalled_threads_;
  uint64_t stops_ = 0;
};

}  // namespace lockwarden
