// Bounds: a look reads and searches only so much; the last one a hundred times that.
#include "watchdog/order_watch.h"

#include <algorithm>

namespace lockwarden {
namespace {

constexpr uint32_t kBatch = 4096;               // edges
constexpr uint64_t kEdgesALook = 65'536;
constexpr uint64_t kStepsALook = 2'000'000;     // a few tens of milliseconds
constexpr uint64_t kStepsLast = 200'000'000;
constexpr size_t kLargeGraph = 50'000;          // edges; from here on it is searched ...
constexpr uint64_t kLargePause = 1'000'000'000;  // ... once in this many nanoseconds
constexpr uint32_t kPatience = 100;             // looks at an edge that never becomes whole
constexpr size_t kRejectedKept = 1024;
constexpr uint64_t kHeldBack = 2'000'000'000;   // nanoseconds

uint64_t UsedOf(const Snapshot& snapshot, const char* table) {
  for (const TableUse& use : snapshot.tables) {
    if (std::string_view(use.name) == table) return use.used;
  }
  return 0;
}

}  // namespace

void OrderWatch::Look(const Snapshot& snapshot, uint64_t now_ns, bool last) {
  now_ns_ = now_ns;
  ReadEdges(snapshot, last);
  const bool pause = !last && graph_.edges() > kLargeGraph && last_search_ns_ != 0 &&
                     now_ns - last_search_ns_ < kLargePause;
  if (!graph_.idle() && !pause) {
    last_search_ns_ = now_ns;
    graph_.Search(last ? kStepsLast : kStepsALook, [&](const std::vector<uint32_t>& ids) {
      if (JudgeIds(ids, /*first_time=*/true)) return;
      if (rejected_.size() < kRejectedKept) {
        rejected_.push_back(ids);
      } else {
        ++forgotten_;
      }
    });
  }
  JudgeAgain(snapshot);
}

void OrderWatch::ReadEdges(const Snapshot& snapshot, bool last) {
  uint64_t read = 0;
  while (next_edge_ < snapshot.order_edges && (last || read < kEdgesALook)) {
    const std::vector<EdgeInfo> edges = reader_->Edges(next_edge_, kBatch);
    for (const EdgeInfo& edge : edges) {
      next_edge_ = edge.index + 1;
      const auto is_unit = [&](LockKey key) {
        return reader_->Lock(key).kind == ledger::LockKind::kSemaphore;
      };
      if (!is_unit(edge.from) && !is_unit(edge.to)) graph_.Add(edge.from, edge.to, edge.index);
    }
    read += edges.size();
    if (!edges.empty()) {
      stalled_looks_ = 0;
      continue;
    }
    // The next one is not whole yet: its writer is at it, or died in the middle of it.
    if (!last && ++stalled_looks_ < kPatience) return;
    stalled_looks_ = 0;
    ++next_edge_;
    ++skipped_;
  }
}

void OrderWatch::JudgeAgain(const Snapshot& snapshot) {
  const uint64_t witnesses = UsedOf(snapshot, ledger::TableName(ledger::kWitnesses));
  if (witnesses == witnesses_seen_) return;
  witnesses_seen_ = witnesses;
  std::erase_if(rejected_, [&](const std::vector<uint32_t>& ids) {
    return JudgeIds(ids, /*first_time=*/false);
  });
}

// True if the cycle can close, whether it is news or not.
bool OrderWatch::JudgeIds(const std::vector<uint32_t>& ids, bool first_time) {
  PredictedCycle cycle;
  cycle.found_ns = now_ns_;
  for (uint32_t id : ids) {
    std::vector<EdgeInfo> edge = reader_->Edges(id, 1);
    if (edge.empty() || edge[0].index != id) return false;
    cycle.edges.push_back(std::move(edge[0]));
  }
  cycle.verdict = JudgeCycle(cycle.edges);
  if (cycle.verdict.verdict != OrderVerdict::kPotential) {
    if (first_time) ++turned_down_[cycle.verdict.verdict];
    return false;
  }
  Sites sites;
  for (const ledger::OrderWitness& witness : cycle.verdict.chosen) {
    sites.insert({witness.from_site, witness.to_site});
  }
  if (!told_.insert(sites).second) {
    ++repeats_;
    return true;
  }
  cycle.confidence = Sureness(cycle);
  pending_.push_back(std::move(cycle));
  return true;
}

// An address may have been several locks' where no init or destroy call is ever made, but
// not in static storage.
Confidence OrderWatch::Sureness(const PredictedCycle& cycle) {
  if (cycle.verdict.uncertain) return Confidence::kPossible;
  for (const EdgeInfo& edge : cycle.edges) {
    const LockInfo lock = reader_->Lock(edge.from);
    const bool own = lock.kind == ledger::LockKind::kLock ||
                     lock.kind == ledger::LockKind::kRLock ||
                     lock.kind == ledger::LockKind::kSharedLock;
    if (own || (lock.flags & ledger::kInitSeen) != 0 || IsStatic(lock.address)) continue;
    return Confidence::kPossible;
  }
  return Confidence::kLikely;
}

bool OrderWatch::IsStatic(uint64_t address) {
  const auto inside = [&](const ModuleInfo& module) {
    return address >= module.begin && address < module.end;
  };
  if (std::any_of(modules_.begin(), modules_.end(), inside)) return true;
  modules_ = reader_->Modules();  // libraries may have been loaded since
  return std::any_of(modules_.begin(), modules_.end(), inside);
}

std::vector<PredictedCycle> OrderWatch::Take(uint64_t now_ns, bool hold) {
  std::vector<PredictedCycle> ready, kept;
  for (PredictedCycle& cycle : pending_) {
    std::set<LockKey> locks;
    for (const EdgeInfo& edge : cycle.edges) locks.insert(edge.from);
    if (covered_.contains(locks)) continue;
    const bool keep = hold && now_ns - cycle.found_ns < kHeldBack;
    (keep ? kept : ready).push_back(std::move(cycle));
  }
  pending_ = std::move(kept);
  return ready;
}

}  // namespace lockwarden
