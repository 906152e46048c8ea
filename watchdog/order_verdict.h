// Can this lock-order cycle really close? The witnesses of its edges say so.
//
// A cycle L1 -> L2 -> ... -> L1 closes if n different threads can each hold their L(i)
// and block on L(i+1) at once. So one witness of each edge is chosen such that
//   - each acquisition could block for ever: it was no try, and had no time limit;
//   - the modes conflict under each lock: two readers do not block each other;
//   - the threads are pairwise different;
//   - no two of them held one and the same lock in modes that exclude each other: such a
//     gate lets only one of them in (J. Havelund: Using Runtime Analysis to Guide Model
//     Checking of Java Programs, SPIN 2000, "Goodlock");
//   - no creation or join of threads lies between two of them (thread_order.h).
//
// A unit of a semaphore keeps nobody out; who knows that a semaphore is used as a lock says so by
// an exclusive mode.
//
// Pure functions. Must never: forget why a cycle was turned down.
#pragma once

#include <cstdint>
#include <vector>

#include "absl/types/span.h"
#include "watchdog/snapshot.h"
#include "watchdog/thread_order.h"

namespace lockwarden {

enum class OrderVerdict {
  kPotential,   // it can
  kBounded,     // some edge was only ever taken by a try or with a time limit
  kSharedOnly,  // some lock is only ever held and asked for by readers
  kOneThread,   // not enough different threads
  kGuarded,     // a gate lock keeps them apart
  kOrdered,     // create or join does
  kHandedOver,  // a semaphore in it was posted by who had taken no unit: it is no lock
};
const char* OrderVerdictName(OrderVerdict verdict);  // "potential", "one thread", ...

struct CycleVerdict {
  // For a cycle that cannot close: the first of the rules above, in that order, that no
  // choice of witnesses satisfies together with those before it.
  OrderVerdict verdict = OrderVerdict::kPotential;
  std::vector<ledger::OrderWitness> chosen;  // kPotential: one an edge
  // Witnesses or gates were dropped: with them the answer might have been another.
  bool uncertain = false;
};

// `cycle`: each edge's `to` is the next one's `from`, round. At least two edges.
CycleVerdict JudgeCycle(absl::Span<const EdgeInfo> cycle, const ThreadOrder& order = {});

}  // namespace lockwarden
