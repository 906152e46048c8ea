// A merged lock graph as text and as a picture, and what differs between two of them.
// Pure functions; no state.
#pragma once

#include <string>

#include "watchdog/report/lock_graph.h"
#include "watchdog/report/lock_graph_cycles.h"

namespace lockwarden {

// A few lines: how much was merged, and what of it says nothing.
std::string SummarizeLockGraph(const LockGraph& graph, const ClassCycles& cycles);

// Graphviz: a node a class, an edge an order; those of the cycles in red.
std::string LockGraphDot(const LockGraph& graph, const ClassCycles& cycles);

// Orders that came and went from `before` to `after`, a line each; empty: none. Lines of source
// files are not looked at, so that an edit elsewhere in a file changes nothing.
std::string DiffLockGraphs(const LockGraph& before, const LockGraph& after);

}  // namespace lockwarden
