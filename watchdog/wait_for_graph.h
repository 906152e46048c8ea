// The wait-for graph: who cannot go on unless somebody else does.
//
// Resources are folded into their holders, so a node is a thread and its requirement
// says which others must go on first: all of them (each holder of a lock, the thread
// that is joined), any of them, or just anybody (a condition, a semaphore). Deadlock in
// this AND/OR model is what graph reduction leaves over:
//   R. C. Holt: Some Deadlock Properties of Computer Systems, Computing Surveys 4, 1972.
//   E. Knapp: Deadlock Detection in Distributed Databases, Computing Surveys 19, 1987.
// Start from the threads that can run; a thread whose requirement is met by threads that
// (could) go on could go on as well; what is left when nothing changes never will.
//
// Soundness rests on the edges: an AND edge must be a necessary condition, so one that
// is missing hides a deadlock and never invents one; an OR set must name everybody who
// could help, so one too many hides, and one too few invents.
//
// Pure functions: no clock, no ledger, no allocation that outlives the call.
#pragma once

#include <cstdint>
#include <vector>

#include "absl/types/span.h"

namespace lockwarden {

enum class Need : uint8_t {
  kNothing,  // it can run
  kAll,      // every node in `on` (none: it can run)
  kAny,      // one node in `on` (none: never)
  kAnyone,   // any other node whatsoever
  kNever,    // it is known never to run again
};

struct WaitNode {
  Need need = Need::kNothing;
  std::vector<uint32_t> on;  // indexes of nodes; its own is allowed: it waits for itself
};

// stuck[i]: node i never runs again, unless somebody outside the graph interferes.
// O(nodes + edges).
std::vector<bool> FindStuck(absl::Span<const WaitNode> nodes);

// One cycle for each strongly connected component that stuck nodes form through `on`:
// the shortest that a bounded search finds, in waiting order. A node that waits for
// itself is a cycle of one only if its component has no other.
std::vector<std::vector<uint32_t>> FindCycles(absl::Span<const WaitNode> nodes,
                                              const std::vector<bool>& stuck);

// Nodes outside `core` that wait, directly or through others, for one in it.
std::vector<uint32_t> FindBehind(absl::Span<const WaitNode> nodes, const std::vector<bool>& stuck,
                                 absl::Span<const uint32_t> core);

// True if `stuck` is a fixed point of the reduction: nobody stuck could go on, and
// everybody else could. (That it is the greatest one is what the naive twin shows.)
bool CheckInvariants(absl::Span<const WaitNode> nodes, const std::vector<bool>& stuck);

}  // namespace lockwarden
