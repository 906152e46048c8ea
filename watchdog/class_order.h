// ClassOrder: the order of lock classes, for cycles that exist between classes only: account
// before log of one pair of objects, log before account of another. Whether the two orders can
// ever meet at the same locks is not known, so what comes out is `possible` at most.
//
// Folded from the edges between locks: an edge of classes keeps a few of these as samples, from
// different threads where it can. A cycle is judged by the rules of order_verdict.h, with gates
// folded, too: two locks of one class as gates of two steps may well be one and the same lock when
// the others are. Nesting within one class is nesting_watch.h's.
//
// Where a cycle of locks of the very same classes was met, possible or not, that one is what there
// is to say, and nothing is said of the classes.
//
// Written and read by: the judge's thread. Must never: grow beyond its samples.
#pragma once

#include <cstdint>
#include <functional>
#include <set>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "watchdog/lock_order_graph.h"
#include "watchdog/order_verdict.h"
#include "watchdog/snapshot.h"

namespace lockwarden {

// The same edge with each gate's class in its place, where it has one.
EdgeInfo WithGateClasses(const LedgerReader& reader, EdgeInfo edge);

struct ClassCycle {
  std::vector<EdgeInfo> edges;  // of locks: one of each step, the chosen witness's
  CycleVerdict verdict;
};

class ClassOrder {
 public:
  explicit ClassOrder(const LedgerReader* reader) : reader_(reader) {}

  // Classes as LockInfo has them; what has none, or the same at both ends, is let pass.
  void Add(const EdgeInfo& edge, uint32_t from_class, uint32_t to_class);
  // A cycle of locks of these classes was met.
  void NoteCycle(std::set<uint32_t> classes) { between_locks_.insert(std::move(classes)); }

  // What is new, about `budget` edges' worth of it. Those that cannot close are judged again when
  // `again`: they have witnesses that they had not.
  void Search(uint64_t budget, const ThreadOrder& order, bool again);
  // Cycles that could close, each once.
  std::vector<ClassCycle> Take();

  bool idle() const { return graph_.idle(); }

 private:
  static constexpr size_t kSamples = 6;
  struct ClassEdge {
    uint32_t from = 0, to = 0;
    std::vector<uint32_t> samples;  // indexes of edges in the ledger
    std::vector<uint32_t> threads;  // each one's first witness's
  };

  // Nullopt-like: an empty `edges` if it cannot close.
  ClassCycle Judge(const std::vector<uint32_t>& ids, const ThreadOrder& order) const;
  std::set<uint32_t> ClassesOf(const std::vector<uint32_t>& ids) const;

  const LedgerReader* reader_;
  LockOrderGraph graph_;  // nodes are classes: {class, 0}
  absl::flat_hash_map<std::pair<uint32_t, uint32_t>, uint32_t> index_;
  std::vector<ClassEdge> edges_;
  std::set<std::set<uint32_t>> between_locks_;
  std::vector<std::vector<uint32_t>> rejected_;
  std::vector<std::pair<std::vector<uint32_t>, ClassCycle>> found_;
};

}  // namespace lockwarden
