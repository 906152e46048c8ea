// MetricsView: the numbers that the exporter serves, copied by the supervisor on
// each tick, so that a scrape never waits for the program, the judge or a report.
//
// Written by: the supervisor's loop, through MetricsBoard::Publish.
// Read by: any thread of an exporter. Thread safety: the view is a value; the board
// is thread-safe and holds its mutex for a pointer copy only.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "watchdog/mutex.h"
#include "watchdog/watch_counts.h"

namespace lockwarden {

// Of all heartbeats of one name.
struct HeartbeatMetrics {
  double last_timestamp_seconds = 0;  // CLOCK_REALTIME; the oldest of them
  double deadline_seconds = 0;        // the shortest of them
  bool paused = false;                // all of them are paused or idle
  uint64_t missed = 0, late = 0;      // told as a stall; came after the deadline
};

// A finding as it was told, for the status page.
struct ShownFinding {
  struct Thread {
    uint32_t pid = 0, tid = 0;
  };
  uint64_t number = 0;       // 1, 2, ... in this run
  std::string kind;          // "deadlock"
  std::string confidence;    // "proven"
  std::string headline;
  std::string program;       // base name
  uint32_t pid = 0;
  double time_seconds = 0;   // Unix time
  std::string incident;      // id of its directory; empty: none was written
  std::string text, json;    // the reports
  std::vector<Thread> threads;  // of a deadlock: those in it
};
inline constexpr size_t kMostShownFindings = 50;

struct MetricsView {
  // Sums over the program and every process it started that carries a ledger;
  // counters go on counting over restarts and exits.
  uint64_t lock_acquisitions = 0;
  uint64_t lock_contentions = 0;
  double lock_wait_seconds = 0;
  uint64_t deadlocks_broken = 0;  // by DeadlockError in the thread that would have closed them
  uint64_t processes_seen = 0;  // ledgers registered since start
  uint64_t processes = 0;       // of which still running
  uint64_t threads = 0;
  uint64_t locks_tracked = 0;
  uint64_t lock_classes = 0;
  uint64_t order_edges = 0;
  uint64_t order_cycles = 0;    // potential deadlocks known now
  uint64_t deadlocked_threads = 0;  // now
  uint64_t deadlock_cycles = 0;     // now
  double deadlock_last_timestamp_seconds = 0;  // CLOCK_REALTIME; 0: never
  std::map<std::string, uint64_t> deadlocks;   // by kind: "deadlock", "self_deadlock"
  std::map<std::string, uint64_t> misuse;      // by kind
  std::map<std::string, uint64_t> findings;    // by kind, all of them
  std::map<std::string, uint64_t> restarts;    // by reason: "deadlock", "stall", "crash", "exit"
  int64_t restart_budget_remaining = -1;       // -1: no limit
  std::map<std::string, HeartbeatMetrics> heartbeats;   // by name
  std::map<std::string, uint64_t> stalled_threads;      // now, by cause
  bool stalled = false;  // so many heartbeats stay away, for so long, that on_stall is due
  std::map<std::string, uint64_t> clock_jumps;          // by cause: "late", "suspend", "stopped"
  std::map<std::string, uint64_t> incidents;   // by kind
  std::string last_incident;           // its id; empty: none was written
  double last_incident_seconds = 0;    // Unix time of what it tells
  uint64_t incident_write_errors = 0;
  uint64_t incident_bytes = 0;      // on the disk, in the incidents directory; 0 before the first
  uint64_t incidents_removed = 0;   // for the quota
  std::map<std::string, uint64_t> hooks;  // on_incident commands, by result
  std::map<std::string, uint64_t> dropped_records;  // by table, and "held_list", "stack", ...
  std::map<std::string, uint64_t> ledger_capacity;  // by table, of the program's own ledger
  std::map<std::string, uint64_t> ledger_used;
  uint64_t watchdog_checks = 0;
  double watchdog_last_check_timestamp_seconds = 0;
  double watchdog_check_seconds = 0;  // duration of the last check
  WatchCounts counts;                 // what was done, and left undone
  double overhead_seconds = 0;        // processor time of the watchdog itself
  double snapshot_timestamp_seconds = 0;
  bool interposer_active = false;     // the program itself has a live ledger
  bool program_running = false;
  uint64_t refused_registrations = 0;  // ledgers that could not be taken over
  std::string program;                 // base name only: no path in labels
  uint64_t metrics_bind_failures = 0;  // times that the port could not be had
  // Newest last, at most kMostShownFindings.
  std::vector<std::shared_ptr<const ShownFinding>> shown_findings;
};

class MetricsBoard {
 public:
  void Publish(MetricsView view) {
    auto fresh = std::make_shared<const MetricsView>(std::move(view));
    MutexLock lock(&mutex_);
    view_.swap(fresh);
  }
  std::shared_ptr<const MetricsView> Latest() const {
    MutexLock lock(&mutex_);
    return view_;
  }

 private:
  mutable Mutex mutex_;
  std::shared_ptr<const MetricsView> view_ ABSL_GUARDED_BY(mutex_) =
      std::make_shared<const MetricsView>();
};

}  // namespace lockwarden
