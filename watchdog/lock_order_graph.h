// The lock-order graph: a node is a lock's life, an edge "acquired while holding". Every
// cycle in it is one that threads could perhaps close; order_verdict.h says whether.
//
// Incremental: edges are added one by one, and each is searched for the cycles that it
// closes, so every cycle is met once, with its last edge. Only edges inside one strongly
// connected component (R. Tarjan, 1972) can close any, which is what makes a large graph
// without cycles cheap. Work a call is bounded by a budget: what is left over stays
// queued. Work an edge is bounded too: what that cuts off is counted in `cut`.
// Nothing is ever removed: the edge that closes a cycle stays.
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
  size_t edges() const { return edge_count_; }

  // Every edge lies in its adjacency list, both ways; the queue holds none of them.
  bool CheckInvariants() const;

 private:
  struct Edge {
    uint32_t node = 0;  // the other end
    uint32_t id = 0;
  };
  struct Pending {
    uint32_t from = 0, to = 0, id = 0;
  };

  uint32_t NodeOf(LockKey key);
  void Insert(const Pending& edge);
  void FindComponents();
  uint64_t SearchFrom(const Pending& edge, const OnCycle& on_cycle);

  const OrderLimits limits_;
  absl::flat_hash_map<LockKey, uint32_t> index_;
  std::vector<std::vector<Edge>> out_, in_;  // by node: edges searched already
  std::vector<uint32_t> component_;          // by node; of the graph and the queue together
  std::vector<uint32_t> distance_;           // scratch of SearchFrom; kFar but while it runs
  std::deque<Pending> queue_;
  bool components_current_ = false;
  size_t edge_count_ = 0;
  uint64_t cut_ = 0;
};

}  // namespace lockwarden
