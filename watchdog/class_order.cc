// Samples of each step, merged into one edge for the verdict and found again by what it chose.
#include "watchdog/class_order.h"

#include <algorithm>

namespace lockwarden {
namespace {

constexpr size_t kRejectedKept = 1024;

// No lock's life has the generation 0.
ledger::PackedRef ClassRef(uint32_t lock_class) { return ledger::Pack(lock_class, 0, 0); }

bool SameStep(const ledger::OrderWitness& a, const ledger::OrderWitness& b) {
  return a.thread_serial == b.thread_serial && a.from_stack == b.from_stack &&
         a.to_stack == b.to_stack && a.from_site == b.from_site && a.to_site == b.to_site &&
         a.first_clock == b.first_clock;
}

}  // namespace

EdgeInfo WithGateClasses(const LedgerReader& reader, EdgeInfo edge) {
  for (ledger::OrderWitness& witness : edge.witnesses) {
    for (uint32_t i = 0; i < witness.gate_count && i < ledger::kGatesPerWitness; ++i) {
      ledger::PackedRef& gate = witness.gates[i];
      const LockInfo lock = reader.Lock({ledger::IndexOf(gate), ledger::GenerationOf(gate)});
      if (lock.lock_class == 0) continue;
      gate = ledger::WithMode(ClassRef(lock.lock_class), ledger::ModeBitsOf(gate));
    }
  }
  return edge;
}

void ClassOrder::Add(const EdgeInfo& edge, uint32_t from_class, uint32_t to_class) {
  if (from_class == 0 || to_class == 0 || from_class == to_class) return;
  const auto [at, fresh] =
      index_.try_emplace({from_class, to_class}, static_cast<uint32_t>(edges_.size()));
  if (fresh) {
    edges_.push_back({from_class, to_class, {}, {}});
    graph_.Add({from_class, 0}, {to_class, 0}, at->second);
  }
  ClassEdge& step = edges_[at->second];
  const uint32_t thread = edge.witnesses.front().thread_serial;
  const bool known = std::count(step.threads.begin(), step.threads.end(), thread) != 0;
  // The last places are for threads that were not seen there.
  if (step.samples.size() >= (known ? kSamples / 2 : kSamples)) return;
  step.samples.push_back(edge.index);
  step.threads.push_back(thread);
}

std::set<uint32_t> ClassOrder::ClassesOf(const std::vector<uint32_t>& ids) const {
  std::set<uint32_t> classes;
  for (uint32_t id : ids) classes.insert(edges_[id].from);
  return classes;
}

ClassCycle ClassOrder::Judge(const std::vector<uint32_t>& ids, const ThreadOrder& order) const {
  std::vector<EdgeInfo> folded;
  std::vector<std::vector<EdgeInfo>> samples;
  for (uint32_t id : ids) {
    const ClassEdge& step = edges_[id];
    EdgeInfo merged;
    merged.from = {step.from, 0};
    merged.to = {step.to, 0};
    samples.emplace_back();
    for (uint32_t sample : step.samples) {
      std::vector<EdgeInfo> edge = reader_->Edges(sample, 1);
      if (edge.empty() || edge[0].index != sample) continue;
      const EdgeInfo with_classes = WithGateClasses(*reader_, edge[0]);
      merged.witnesses.insert(merged.witnesses.end(), with_classes.witnesses.begin(),
                              with_classes.witnesses.end());
      samples.back().push_back(std::move(edge[0]));
    }
    folded.push_back(std::move(merged));
  }
  ClassCycle cycle;
  cycle.verdict = JudgeCycle(folded, order);
  if (cycle.verdict.verdict != OrderVerdict::kPotential) return {};
  for (size_t i = 0; i < ids.size(); ++i) {
    const ledger::OrderWitness& chosen = cycle.verdict.chosen[i];
    const auto its = std::find_if(samples[i].begin(), samples[i].end(), [&](const EdgeInfo& edge) {
      return std::any_of(edge.witnesses.begin(), edge.witnesses.end(),
                         [&](const auto& witness) { return SameStep(witness, chosen); });
    });
    if (its == samples[i].end()) return {};  // not possible
    cycle.edges.push_back(*its);
  }
  return cycle;
}

void ClassOrder::Search(uint64_t budget, const ThreadOrder& order, bool again) {
  const auto judge = [&](const std::vector<uint32_t>& ids) {
    ClassCycle cycle = Judge(ids, order);
    if (cycle.edges.empty()) return false;
    found_.emplace_back(ids, std::move(cycle));
    return true;
  };
  if (again) std::erase_if(rejected_, judge);
  graph_.Search(budget, [&](const std::vector<uint32_t>& ids) {
    if (!judge(ids) && rejected_.size() < kRejectedKept) rejected_.push_back(ids);
  });
}

std::vector<ClassCycle> ClassOrder::Take() {
  std::vector<ClassCycle> cycles;
  for (auto& [ids, cycle] : found_) {
    if (between_locks_.contains(ClassesOf(ids))) continue;
    cycles.push_back(std::move(cycle));
  }
  found_.clear();
  return cycles;
}

}  // namespace lockwarden
