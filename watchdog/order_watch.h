// OrderWatch: feeds the ledger's order edges to the lock-order graph, judges the cycles
// that come out, and keeps those that cannot close, since a witness that comes later may
// change that.
//
// Each set of acquisition sites is told once, however many locks meet there; repeats are
// counted. Edges of semaphores are left out: their units are not locks.
//
// Written and read by: the judge's thread. Must never: look at an edge's witnesses but
// through the reader, so that it sees the newest.
#pragma once

#include <cstdint>
#include <set>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "watchdog/finding.h"
#include "watchdog/lock_order_graph.h"
#include "watchdog/order_verdict.h"
#include "watchdog/snapshot.h"

namespace lockwarden {

struct PredictedCycle {
  std::vector<EdgeInfo> edges;
  CycleVerdict verdict;
  Confidence confidence = Confidence::kPossible;
  uint64_t found_ns = 0;
};

class OrderWatch {
 public:
  explicit OrderWatch(const LedgerReader* reader) : reader_(reader) {}

  // Reads what is new and searches it. `last`: there will be no other look.
  void Look(const Snapshot& snapshot, uint64_t now_ns, bool last);

  // New predictions. While a deadlock is suspected (`hold`) they are kept back for a
  // while: the same cycle need not be told as possible and as real.
  std::vector<PredictedCycle> Take(uint64_t now_ns, bool hold);
  // A deadlock among exactly these locks was told: so is the prediction of it.
  void Cover(const std::set<LockKey>& locks) { covered_.insert(locks); }

  uint64_t cycles() const { return told_.size(); }  // different ones that could close
  // Cycles that cannot close, by the rule that says so.
  const absl::flat_hash_map<OrderVerdict, uint64_t>& turned_down() const { return turned_down_; }
  uint64_t repeats() const { return repeats_; }
  uint64_t cut() const { return graph_.cut() + forgotten_; }
  uint64_t skipped_edges() const { return skipped_; }

 private:
  using Sites = std::set<std::pair<uint64_t, uint64_t>>;

  void ReadEdges(const Snapshot& snapshot, bool last);
  void JudgeAgain(const Snapshot& snapshot);
  bool JudgeIds(const std::vector<uint32_t>& ids, bool first_time);
  Confidence Sureness(const PredictedCycle& cycle);
  bool IsStatic(uint64_t address);

  const LedgerReader* reader_;
  LockOrderGraph graph_;
  uint32_t next_edge_ = 0;
  uint32_t stalled_looks_ = 0;
  uint64_t skipped_ = 0;
  uint64_t last_search_ns_ = 0, now_ns_ = 0;
  uint64_t witnesses_seen_ = 0;
  std::set<Sites> told_;
  std::set<std::set<LockKey>> covered_;
  std::vector<PredictedCycle> pending_;
  std::vector<std::vector<uint32_t>> rejected_;  // edge ids
  absl::flat_hash_map<OrderVerdict, uint64_t> turned_down_;
  uint64_t repeats_ = 0, forgotten_ = 0;
  std::vector<ModuleInfo> modules_;
};

}  // namespace lockwarden
