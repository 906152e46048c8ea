// The lock-order graph: a node is a lock's life, an edge "acquired while holding". Every
// cycle in it is one that threads could perhaps close; order_verdict.h says whether.
//
// Incremental: edges are added one by one, and each is searched for the cycles that it
// closes, so every cycle is met once, with its last edge. Only edges inside one strongly
// connected component can close any, and topological_order.h knows those, which is what makes
// a large graph without cycles cheap. Work a call is bounded by a budget: what is left over
// stays queued. Work an edge is bounded too: what that cuts off is counted in `cut`.
// Nothing is ever removed: the edge that closes a cycle stays.
//
// Memory: kNodeBytes a life of a lock and kEdgeBytes an edge, at most twice that.
//
// Thread safety: none. Must never: report one cycle twice, or none because it is long
// (the shortest through each edge is always found).
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "watchdog/snapshot.h"
#include "watchdog/topological_order.h"

namespace lockwarden {

struct OrderLimits {
  uint32_t max_length = 6;        // edges; longer only if that is the shortest one
  uint32_t cycles_an_edge = 64;
  uint64_t steps_an_edge = 20'000;
};

class LockOrderGraph {
 public:
  // Called with the ledger's indexes of the edges of one cycle, in order, the newest last.
  using OnCycle = std::function<void(const std::vector<uint32_t>& edges)>;

  explicit LockOrderGraph(OrderLimits limits = {}) : limits_(limits) {}

  // Queues an edge; `id` names it in cycles. A relock (from == to) is no edge.
  void Add(LockKey from, LockKey to, uint32_t id);
  // Takes edges from the queue until it is empty or about `budget` edges were visited.
  void Search(uint64_t budget, const OnCycle& on_cycle);

  bool idle() const { return queue_.empty(); }
  uint64_t cut() const { return cut_; }  // searches that gave up on further cycles
  size_t edges() const { return order_.edges(); }

  bool CheckInvariants();

  // Of the index and the scratch, beside the graph itself.
  static constexpr uint64_t kNodeBytes = TopologicalOrder::kNodeBytes + 2 * sizeof(LockKey) + 16;
  static constexpr uint64_t kEdgeBytes = TopologicalOrder::kEdgeBytes;

 private:
  struct Pending {
    uint32_t from = 0, to = 0, id = 0;
  };

  uint32_t NodeOf(LockKey key);
  uint64_t SearchFrom(const Pending& edge, const OnCycle& on_cycle);

  const OrderLimits limits_;
  absl::flat_hash_map<LockKey, uint32_t> index_;
  TopologicalOrder order_;  // edges searched already
  // Scratch of SearchFrom, by node: kFar and false but while it runs.
  std::vector<uint32_t> distance_;
  std::vector<bool> on_path_;
  std::deque<Pending> queue_;
  uint64_t cut_ = 0;
};

}  // namespace lockwarden
