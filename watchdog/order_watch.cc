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

// In the ids of a cycle's edges: it is one of the table of threads' edges.
constexpr uint32_t kOfThreads = 1u << 31;

bool IsWalkedRing(const PredictedCycle& cycle) {
  const std::vector<ledger::OrderWitness>& chosen = cycle.verdict.chosen;
  const auto same_place = [&](const ledger::OrderWitness& step) {
    return PlaceOf(step.to_stack, step.to_site) == PlaceOf(chosen[0].to_stack, chosen[0].to_site) &&
           PlaceOf(step.from_stack, step.from_site) ==
               PlaceOf(chosen[0].from_stack, chosen[0].from_site);
  };
  if (chosen.size() < 3 || !std::all_of(chosen.begin(), chosen.end(), same_place)) return false;
  absl::flat_hash_map<uint32_t, uint32_t> steps;  // by thread
  for (const EdgeInfo& edge : cycle.edges) {
    std::set<uint32_t> threads;
    for (const ledger::OrderWitness& witness : edge.witnesses) {
      threads.insert(witness.thread_serial);
    }
    for (uint32_t thread : threads) {
      if (++steps[thread] == 2) return true;
    }
  }
  return false;
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
  ReadEdges(&locks_read_, snapshot.order_edges, /*of_threads=*/false, last);
  if (joins_) ReadEdges(&threads_read_, snapshot.thread_edges, /*of_threads=*/true, last);
  if (!graph_.idle()) {
    graph_.Search(last ? kStepsLast : kStepsALook, [&](const std::vector<uint32_t>& ids) {
      OrderVerdict why = OrderVerdict::kBounded;
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
  const bool again = HasNewWitnesses(snapshot);
  if (again) {
    std::erase_if(rejected_,
                  [&](RejectedCycle& cycle) { return JudgeIds(cycle.edges, &cycle.why); });
  }
  if (classes_.has_value()) LookAtClasses(last, again);
}

// After the cycles of locks: where there is one, classes say nothing more.
void OrderWatch::LookAtClasses(bool last, bool again) {
  if (again || !classes_->idle()) {
    classes_->Search(last ? kStepsLast : kStepsALook, Order(), again);
  }
  if (!graph_.idle() && !last) return;
  for (ClassCycle& found : classes_->Take()) {
    PredictedCycle cycle;
    cycle.found_ns = now_ns_;
    cycle.classes = true;
    cycle.edges = std::move(found.edges);
    cycle.verdict = std::move(found.verdict);
    if (TakeSemaphoresForLocks(&cycle)) Tell(std::move(cycle));
  }
}

const ThreadOrder& OrderWatch::Order() {
  if (!thread_order_.has_value()) thread_order_.emplace(reader_->ThreadLives());
  return *thread_order_;
}

void OrderWatch::LearnNesting(const EdgeInfo& edge, const LockInfo& from, const LockInfo& to) {
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
  cycle.parent_first = breach.parent_first;
  EdgeInfo unseen = breach.sample;
  unseen.from = breach.edge.to;
  unseen.to = breach.edge.from;
  cycle.edges = {breach.edge, unseen};
  if (!TakeSemaphoresForLocks(&cycle)) return;
  // Of two pairs: what is the gate of one is not the other's own, but of the same class.
  cycle.verdict = JudgeCycle(std::vector{WithGateClasses(*reader_, cycle.edges[0]),
                                         WithGateClasses(*reader_, cycle.edges[1])},
                             Order());
  if (cycle.verdict.verdict != OrderVerdict::kPotential) return;
  cycle.edges[1] = std::move(breach.sample);
  Tell(std::move(cycle));
}

void OrderWatch::ReadEdges(Cursor* cursor, uint64_t used, bool of_threads, bool last) {
  uint64_t read = 0;
  while (cursor->next < used && (last || read < kEdgesALook)) {
    const std::vector<EdgeInfo> edges = reader_->Edges(cursor->next, kBatch, of_threads);
    for (const EdgeInfo& edge : edges) {
      cursor->next = edge.index + 1;
      AddEdge(edge, of_threads);
    }
    read += edges.size();
    if (!edges.empty()) {
      cursor->stalled_looks = 0;
      continue;
    }
    // The next one is not whole yet: its writer is at it, or died in the middle of it.
    if (!last && ++cursor->stalled_looks < kPatience) return;
    cursor->stalled_looks = 0;
    ++cursor->next;
    ++skipped_;
  }
}

void OrderWatch::AddEdge(const EdgeInfo& edge, bool of_threads) {
  const LockInfo from = reader_->Lock(edge.from), to = reader_->Lock(edge.to);
  const auto may_lock = [](const LockInfo& lock) {
    return lock.kind != ledger::LockKind::kSemaphore || (lock.flags & ledger::kOneUnit) != 0;
  };
  if (!may_lock(from) || !may_lock(to)) return;
  graph_.Add(edge.from, edge.to, of_threads ? edge.index | kOfThreads : edge.index);
  if (of_threads) return;
  LearnNesting(edge, from, to);
  if (classes_.has_value()) classes_->Add(edge, from.lock_class, to.lock_class);
}

bool OrderWatch::HasNewWitnesses(const Snapshot& snapshot) {
  const uint64_t witnesses = UsedOf(snapshot, ledger::TableName(ledger::kWitnesses));
  return std::exchange(witnesses_seen_, witnesses) != witnesses;
}

// Empty if one of them makes no sense any more.
std::vector<EdgeInfo> OrderWatch::EdgesOf(const std::vector<uint32_t>& ids) const {
  std::vector<EdgeInfo> edges;
  for (uint32_t id : ids) {
    const uint32_t index = id & ~kOfThreads;
    std::vector<EdgeInfo> edge = reader_->Edges(index, 1, (id & kOfThreads) != 0);
    if (edge.empty() || edge[0].index != index) return {};
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
  if (classes_.has_value()) {
    std::set<uint32_t> classes;
    for (const EdgeInfo& edge : cycle.edges) classes.insert(reader_->Lock(edge.from).lock_class);
    classes_->NoteCycle(std::move(classes));
  }
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
  cycle.ring = !cycle.classes && IsWalkedRing(cycle);
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
  if (cycle.verdict.uncertain || cycle.semaphores || cycle.pairs_by_address != 0 || cycle.classes ||
      cycle.ring) {
    return Confidence::kPossible;
  }
  for (const EdgeInfo& edge : cycle.edges) {
    if (IsThread(edge.from)) continue;
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
    for (const EdgeInfo& edge : cycle.edges) {
      if (!IsThread(edge.from)) locks.insert(edge.from);
    }
    if (covered_.contains(locks)) continue;
    const bool keep = ready.size() == limit || (hold && now_ns - cycle.found_ns < kHeldBack);
    (keep ? kept : ready).push_back(std::move(cycle));
  }
  pending_ = std::move(kept);
  return ready;
}

}  // namespace lockwarden
