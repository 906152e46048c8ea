// Bounds: a look reads and searches only so much; the last one a hundred times that.
#include "watchdog/order_watch.h"

#include <algorithm>

namespace lockwarden {
namespace {

constexpr uint32_t kBatch = 4096;               // edges
constexpr uint64_t kEdgesALook = 32'768;
constexpr uint64_t kStepsALook = 2'000'000;     // a few tens of milliseconds
constexpr uint64_t kStepsLast = 200'000'000;
constexpr uint32_t kPatience = 100;             // looks at an edge that never becomes whole
constexpr size_t kRejectedKept = 1024;
constexpr uint64_t kHeldBack = 2'000'000'000;   // nanoseconds

// By its whole stack, where there is one.
uint64_t PlaceOf(uint32_t stack, uint64_t site) {
  return stack == 0 ? site : uint64_t{1} << 63 | stack;  // no call lies in that half
}

uint64_t UsedOf(const Snapshot& snapshot, const char* table) {
  for (const TableUse& use : snapshot.tables) {
    if (std::string_view(use.name) == table) return use.used;
  }
  return 0;
}

}  // namespace

void OrderWatch::Look(const Snapshot& snapshot, uint64_t now_ns, bool last) {
  now_ns_ = now_ns;
  thread_order_.reset();
  ReadEdges(snapshot, last);
  if (!graph_.idle()) {
    graph_.Search(last ? kStepsLast : kStepsALook, [&](const std::vector<uint32_t>& ids) {
      OrderVerdict why;
      if (JudgeIds(ids, &why)) return;
      ++turned_down_[why];
      if (rejected_.size() < kRejectedKept) {
        rejected_.push_back({ids, why});
      } else {
        ++forgotten_;
      }
    });
  }
  for (NestingBreach& breach : nesting_.Take()) JudgeBreach(std::move(breach));
  JudgeAgain(snapshot);
}

const ThreadOrder& OrderWatch::Order() {
  if (!thread_order_.has_value()) thread_order_.emplace(reader_->ThreadLives());
  return *thread_order_;
}

void OrderWatch::LearnNesting(const EdgeInfo& edge) {
  const LockInfo from = reader_->Lock(edge.from), to = reader_->Lock(edge.to);
  const ledger::OrderWitness& seen = edge.witnesses.front();
  const bool bounded = (seen.to_mode & (ledger::kTry | ledger::kTimed)) != 0;
  if (from.lock_class == 0 || from.lock_class != to.lock_class || bounded) return;
  nesting_.Add(edge,
               {PlaceOf(seen.from_stack, seen.from_site), PlaceOf(seen.to_stack, seen.to_site)},
               to.address > from.address);
}

// As a cycle of the two locks, with the witnesses of another pair for the step that was not seen.
void OrderWatch::JudgeBreach(NestingBreach breach) {
  PredictedCycle cycle;
  cycle.found_ns = now_ns_;
  cycle.pairs_by_address = breach.pairs;
  EdgeInfo unseen = breach.sample;
  unseen.from = breach.edge.to;
  unseen.to = breach.edge.from;
  cycle.edges = {breach.edge, unseen};
  if (!TakeSemaphoresForLocks(&cycle)) return;
  cycle.verdict = JudgeCycle(cycle.edges, Order());
  if (cycle.verdict.verdict != OrderVerdict::kPotential) return;
  cycle.edges[1] = std::move(breach.sample);
  Tell(std::move(cycle));
}

void OrderWatch::ReadEdges(const Snapshot& snapshot, bool last) {
  uint64_t read = 0;
  while (next_edge_ < snapshot.order_edges && (last || read < kEdgesALook)) {
    const std::vector<EdgeInfo> edges = reader_->Edges(next_edge_, kBatch);
    for (const EdgeInfo& edge : edges) {
      next_edge_ = edge.index + 1;
      const auto may_lock = [&](LockKey key) {
        const LockInfo lock = reader_->Lock(key);
        return lock.kind != ledger::LockKind::kSemaphore || (lock.flags & ledger::kOneUnit) != 0;
      };
      if (!may_lock(edge.from) || !may_lock(edge.to)) continue;
      graph_.Add(edge.from, edge.to, edge.index);
      LearnNesting(edge);
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
  std::erase_if(rejected_, [&](RejectedCycle& cycle) { return JudgeIds(cycle.edges, &cycle.why); });
}

// Empty if one of them makes no sense any more.
std::vector<EdgeInfo> OrderWatch::EdgesOf(const std::vector<uint32_t>& ids) const {
  std::vector<EdgeInfo> edges;
  for (uint32_t id : ids) {
    std::vector<EdgeInfo> edge = reader_->Edges(id, 1);
    if (edge.empty() || edge[0].index != id) return {};
    edges.push_back(std::move(edge[0]));
  }
  return edges;
}

std::vector<PredictedCycle> OrderWatch::Rejected() const {
  std::vector<PredictedCycle> cycles;
  for (const RejectedCycle& rejected : rejected_) {
    PredictedCycle cycle;
    cycle.edges = EdgesOf(rejected.edges);
    cycle.verdict.verdict = rejected.why;
    if (!cycle.edges.empty()) cycles.push_back(std::move(cycle));
  }
  return cycles;
}

// True if the cycle can close, whether it is news or not; else `why` not.
bool OrderWatch::JudgeIds(const std::vector<uint32_t>& ids, OrderVerdict* why) {
  PredictedCycle cycle;
  cycle.found_ns = now_ns_;
  cycle.edges = EdgesOf(ids);
  *why = OrderVerdict::kBounded;
  if (cycle.edges.empty()) return false;
  *why = OrderVerdict::kHandedOver;
  if (!TakeSemaphoresForLocks(&cycle)) return false;
  cycle.verdict = JudgeCycle(cycle.edges, Order());
  if (cycle.verdict.verdict != OrderVerdict::kPotential) {
    *why = cycle.verdict.verdict;
    return false;
  }
  Tell(std::move(cycle));
  return true;
}

void OrderWatch::Tell(PredictedCycle cycle) {
  Places places;
  for (const ledger::OrderWitness& witness : cycle.verdict.chosen) {
    places.insert({PlaceOf(witness.from_stack, witness.from_site),
                   PlaceOf(witness.to_stack, witness.to_site)});
  }
  if (!told_.insert(places).second) {
    ++repeats_;
    return;
  }
  cycle.confidence = Sureness(cycle);
  pending_.push_back(std::move(cycle));
}

bool OrderWatch::TakeSemaphoresForLocks(PredictedCycle* cycle) const {
  constexpr uint8_t kUnit = static_cast<uint8_t>(ledger::Mode::kUnit);
  constexpr uint8_t kExclusive = static_cast<uint8_t>(ledger::Mode::kExclusive);
  const auto is_unit = [](uint8_t mode) { return (mode & ledger::kModeMask) == kUnit; };
  const auto exclusive = [](uint8_t mode) {
    return static_cast<uint8_t>((mode & ~ledger::kModeMask) | kExclusive);
  };
  const auto is_lock = [&](LockKey key) {
    const LockInfo lock = reader_->Lock(key);
    return (lock.flags & ledger::kOneUnit) != 0 && lock.own_releases != 0 &&
           lock.foreign_releases == 0;
  };
  for (EdgeInfo& edge : cycle->edges) {
    for (const LockKey key : {edge.from, edge.to}) {
      if (reader_->Lock(key).kind != ledger::LockKind::kSemaphore) continue;
      if (!is_lock(key)) return false;
      cycle->semaphores = true;
    }
    for (ledger::OrderWitness& witness : edge.witnesses) {
      if (is_unit(witness.from_mode)) witness.from_mode = exclusive(witness.from_mode);
      if (is_unit(witness.to_mode)) witness.to_mode = exclusive(witness.to_mode);
      for (uint32_t i = 0; i < witness.gate_count && i < ledger::kGatesPerWitness; ++i) {
        ledger::PackedRef& gate = witness.gates[i];
        if (ledger::ModeOf(gate) != ledger::Mode::kUnit) continue;
        if (!is_lock({ledger::IndexOf(gate), ledger::GenerationOf(gate)})) continue;
        gate = ledger::WithMode(gate, exclusive(ledger::ModeBitsOf(gate)));
      }
    }
  }
  return true;
}

// An address may have been several locks' where no init or destroy call is ever made, but
// not in static storage.
Confidence OrderWatch::Sureness(const PredictedCycle& cycle) {
  if (cycle.verdict.uncertain || cycle.semaphores || cycle.pairs_by_address != 0) {
    return Confidence::kPossible;
  }
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

std::vector<PredictedCycle> OrderWatch::Take(uint64_t now_ns, bool hold, size_t limit) {
  std::vector<PredictedCycle> ready, kept;
  for (PredictedCycle& cycle : pending_) {
    std::set<LockKey> locks;
    for (const EdgeInfo& edge : cycle.edges) locks.insert(edge.from);
    if (covered_.contains(locks)) continue;
    const bool keep = ready.size() == limit || (hold && now_ns - cycle.found_ns < kHeldBack);
    (keep ? kept : ready).push_back(std::move(cycle));
  }
  pending_ = std::move(kept);
  return ready;
}

}  // namespace lockwarden
