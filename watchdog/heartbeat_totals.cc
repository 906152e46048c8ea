// See heartbeat_totals.h.
#include "watchdog/heartbeat_totals.h"

#include <algorithm>
#include <set>

namespace lockwarden {

HeartbeatMetrics& HeartbeatTotals::At(const std::string& name) {
  const bool room = by_name_.size() < kMostNames || by_name_.contains(name);
  return by_name_[room ? name : "other"];
}

void HeartbeatTotals::AddCounts(const Snapshot& snapshot, const StallWatch& stalls) {
  for (const HeartbeatInfo& heartbeat : snapshot.heartbeats)
    At(heartbeat.name).late += heartbeat.late;
  for (const auto& [name, count] : stalls.misses()) At(name).missed += count;
  stops_ += stalls.stops();
}

void HeartbeatTotals::AddEnded(const Snapshot& snapshot, const StallWatch& stalls) {
  AddCounts(snapshot, stalls);
}

void HeartbeatTotals::Add(const Snapshot& snapshot, const StallWatch& stalls, uint64_t monotonic_ns,
                          double realtime_seconds) {
  AddCounts(snapshot, stalls);
  for (const HeartbeatInfo& heartbeat : snapshot.heartbeats) {
    HeartbeatMetrics& metrics = At(heartbeat.name);
    const uint64_t age_ns = monotonic_ns - std::min(monotonic_ns, heartbeat.last_ns);
    const double last = realtime_seconds - static_cast<double>(age_ns) / 1e9;
    const double deadline = static_cast<double>(heartbeat.deadline_ns) / 1e9;
    const bool paused = heartbeat.state != ledger::HeartbeatState::kBeating;
    if (metrics.last_timestamp_seconds == 0) {
      metrics.last_timestamp_seconds = last;
      metrics.deadline_seconds = deadline;
      metrics.paused = paused;
      continue;
    }
    metrics.last_timestamp_seconds = std::min(metrics.last_timestamp_seconds, last);
    metrics.deadline_seconds = std::min(metrics.deadline_seconds, deadline);
    metrics.paused = metrics.paused && paused;
  }
  std::set<uint32_t> counted;  // a thread may beat several
  for (const Stall& stall : stalls.now()) {
    if (stall.tid == 0 || counted.insert(stall.tid).second) {
      ++stalled_threads_[StallKindName(stall.kind)];
    }
  }
}

void HeartbeatTotals::CopyTo(MetricsView* view) const {
  view->heartbeats = by_name_;
  for (StallKind kind : kToldStallKinds) view->stalled_threads[StallKindName(kind)] = 0;
  for (const auto& [kind, count] : stalled_threads_) view->stalled_threads[kind] = count;
  view->clock_jumps["stopped"] = stops_;
}

}  // namespace lockwarden
