// OrderWatch: feeds the ledger's order edges to the lock-order graph, judges the cycles
// that come out, and keeps those that cannot close, since a witness that comes later may
// change that.
//
// Each set of acquisition stacks is told once, however many locks meet there; repeats are
// counted. Not each set of call sites: behind a wrapper a program has one.
//
// A thread that is joined under a lock is a step of cycles as well: it "holds" its own life, and
// who joins it asks for that.
//
// Semaphores are left out, but for those that were created with one unit and that nobody ever
// posted but who had taken it: these are taken for locks, and what hangs on that is `possible`.
//
// Written and read by: the judge's thread. Must never: look at an edge's witnesses but
// through the reader, so that it sees the newest.
#pragma once

#include <cstdint>
#include <optional>
#include <set>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "watchdog/class_order.h"
#include "watchdog/finding.h"
#include "watchdog/lock_order_graph.h"
#include "watchdog/nesting_watch.h"
#include "watchdog/order_verdict.h"
#include "watchdog/snapshot.h"

namespace lockwarden {

struct PredictedCycle {
  std::vector<EdgeInfo> edges;
  CycleVerdict verdict;
  Confidence confidence = Confidence::kPossible;
  bool semaphores = false;  // some of these are taken for locks
  bool ring = false;     // one place in the code takes all the steps, some thread several of them
  bool classes = false;  // no cycle was seen, but between the classes of these locks
  // Not 0: no cycle was seen. The first edge goes against the order by address in which so many
  // pairs were taken at another place; the second is one of these.
  uint32_t pairs_by_address = 0;
  bool parent_first = false;  // the rule is not the address, but parent before child
  uint64_t found_ns = 0;
};

class OrderWatch {
 public:
  // `joins`: cycles with a thread that is joined in them are told as well; `classes`: those that
  // exist between classes of locks only.
  explicit OrderWatch(const LedgerReader* reader, bool joins = true, bool classes = false)
      : reader_(reader), joins_(joins) {
    if (classes) classes_.emplace(reader);
  }

  // Reads what is new and searches it. `last`: there will be no other look.
  void Look(const Snapshot& snapshot, uint64_t now_ns, bool last);

  // New predictions, at most `limit`; the rest comes with the next call. While a deadlock is
  // suspected (`hold`) they are kept back for a while: the same cycle need not be told as
  // possible and as real.
  std::vector<PredictedCycle> Take(uint64_t now_ns, bool hold, size_t limit);
  // A deadlock among exactly these locks was told: so is the prediction of it.
  void Cover(const std::set<LockKey>& locks) { covered_.insert(locks); }

  uint64_t cycles() const { return told_.size(); }  // different ones that could close
  // Cycles that cannot close, by the rule that says so.
  const absl::flat_hash_map<OrderVerdict, uint64_t>& turned_down() const { return turned_down_; }
  // Those themselves, by their newest verdict; of very many the first.
  std::vector<PredictedCycle> Rejected() const;
  uint64_t repeats() const { return repeats_; }
  uint64_t cut() const { return graph_.cut() + forgotten_; }
  uint64_t skipped_edges() const { return skipped_; }

 private:
  // Where each step's two locks were taken.
  using Places = std::set<std::pair<uint64_t, uint64_t>>;
  struct RejectedCycle {
    std::vector<uint32_t> edges;
    OrderVerdict why = OrderVerdict::kBounded;
  };

  // Of one table of edges: how far it was read.
  struct Cursor {
    uint32_t next = 0;
    uint32_t stalled_looks = 0;
  };
  void ReadEdges(Cursor* cursor, uint64_t used, bool of_threads, bool last);
  void AddEdge(const EdgeInfo& edge, bool of_threads);
  void LearnNesting(const EdgeInfo& edge, const LockInfo& from, const LockInfo& to);
  void LookAtClasses(bool last, bool again);
  void JudgeBreach(NestingBreach breach);
  void Tell(PredictedCycle cycle);
  const ThreadOrder& Order();
  bool HasNewWitnesses(const Snapshot& snapshot);
  bool JudgeIds(const std::vector<uint32_t>& ids, OrderVerdict* why);
  std::vector<EdgeInfo> EdgesOf(const std::vector<uint32_t>& ids) const;
  // Says of units that are as good as locks that they are exclusive. False: some lock of the
  // cycle is a semaphore that is none.
  bool TakeSemaphoresForLocks(PredictedCycle* cycle) const;
  Confidence Sureness(const PredictedCycle& cycle);
  bool IsStatic(uint64_t address);

  const LedgerReader* reader_;
  LockOrderGraph graph_;
  NestingWatch nesting_;
  const bool joins_;
  std::optional<ClassOrder> classes_;
  Cursor locks_read_, threads_read_;
  uint64_t skipped_ = 0;
  uint64_t now_ns_ = 0;
  uint64_t witnesses_seen_ = 0;
  std::optional<ThreadOrder> thread_order_;  // of this look, once it was asked for
  std::set<Places> told_;
  std::set<std::set<LockKey>> covered_;
  std::vector<PredictedCycle> pending_;
  std::vector<RejectedCycle> rejected_;
  absl::flat_hash_map<OrderVerdict, uint64_t> turned_down_;
  uint64_t repeats_ = 0, forgotten_ = 0;
  std::vector<ModuleInfo> modules_;
};

}  // namespace lockwarden
