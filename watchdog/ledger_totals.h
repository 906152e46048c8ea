// LedgerTotals: sums over many ledgers, those of processes that have ended included, so
// that counters never go back.
//
// Written and read by: the supervisor's loop. A value.
#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "watchdog/metrics_view.h"
#include "watchdog/snapshot.h"

namespace lockwarden {

struct LedgerTotals {
  uint64_t acquisitions = 0;
  uint64_t contentions = 0;
  uint64_t wait_ns = 0;
  uint64_t broken = 0;         // deadlocks whose closer was refused
  uint64_t stepped_aside = 0;  // processes in which recording was given up
  // By table ("locks", "edges", ...), and "held_list", "stack", "handler_nesting",
  // "unrecorded_calls", "exec", "fork", "unreadable" (entries that made no sense).
  std::map<std::string, uint64_t> dropped;

  void Add(const Snapshot& snapshot);
  void Add(const LedgerTotals& other);
  void CopyTo(MetricsView* view) const;
};

}  // namespace lockwarden
