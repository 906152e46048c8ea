// Cycles in a merged lock graph, and what to say of them.
//
// The search and the rules are those of one process (lock_order_graph.h, order_verdict.h), with
// classes for locks. What differs: threads of different runs count as different ones, but for
// main, of which each process has one; creations and joins of threads say nothing across runs; a
// class that is held in common keeps threads apart only if no process had two locks of it.
//
// Pure functions over a graph; no state.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "watchdog/finding.h"
#include "watchdog/order_verdict.h"
#include "watchdog/report/lock_graph.h"

namespace lockwarden {

struct ClassCycles {
  // Potential deadlocks, confidence possible; each says that it is one of classes, which run saw
  // which order, and whether one of them saw all. Sorted by fingerprint.
  std::vector<Finding> findings;
  std::map<OrderVerdict, uint64_t> turned_down;  // cycles that cannot close, by the rule
  uint64_t cut = 0;                              // searches that gave up on further cycles
};
ClassCycles FindClassCycles(const LockGraph& graph);

// "f, x.cc:12" of a site in a lock graph; empty: not known.
std::string SitePlace(const std::string& site);

}  // namespace lockwarden
