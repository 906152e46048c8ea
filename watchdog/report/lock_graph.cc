// See lock_graph.h.
#include "watchdog/report/lock_graph.h"

#include <algorithm>
#include <optional>
#include <tuple>

namespace lockwarden {
namespace {

constexpr size_t kMostClasses = 1u << 20, kMostEdges = 1u << 22;
constexpr size_t kMostWitnesses = 12;  // an edge

int Compare(GraphText a, GraphText b) { return a == b ? 0 : a->compare(*b); }

template <size_t kMost>
void MergeTexts(LockGraph* graph, const SmallestTexts<kMost>& from, SmallestTexts<kMost>* to) {
  to->more |= from.more;
  for (const GraphText text : from.texts) to->Add(graph->Intern(*text));
}

}  // namespace

// What is most likely to close a cycle comes first, since the first are kept.
bool WitnessLess::operator()(const GraphWitnessKey& a, const GraphWitnessKey& b) const {
  const auto plain = [](const GraphWitnessKey& key) {
    return std::tuple(key.bounded, key.gates.size(), key.gates_dropped, key.from_mode, key.to_mode);
  };
  if (plain(a) != plain(b)) return plain(a) < plain(b);
  if (const int order = Compare(a.to_site, b.to_site); order != 0) return order < 0;
  if (const int order = Compare(a.from_site, b.from_site); order != 0) return order < 0;
  for (size_t i = 0; i < a.gates.size(); ++i) {
    if (const int order = Compare(a.gates[i].first, b.gates[i].first); order != 0) return order < 0;
    if (a.gates[i].second != b.gates[i].second) return a.gates[i].second < b.gates[i].second;
  }
  return false;
}

GraphText LockGraph::Intern(absl::string_view text) { return &*texts_->emplace(text).first; }

std::optional<uint32_t> LockGraph::ClassOf(absl::string_view key) {
  const GraphText text = Intern(key);
  const auto known = class_ids_.find(text);
  if (known != class_ids_.end()) return known->second;
  if (classes_.size() >= kMostClasses) return std::nullopt;
  const auto id = static_cast<uint32_t>(classes_.size());
  class_ids_.emplace(text, id);
  classes_.emplace_back().key = text;
  return id;
}

GraphEdge* LockGraph::EdgeOf(uint32_t from, uint32_t to) {
  const auto known = edges_.find({from, to});
  if (known != edges_.end()) return &known->second;
  if (edges_.size() >= kMostEdges) return nullptr;
  return &edges_[{from, to}];
}

void LockGraph::AddWitness(GraphEdge* edge, const GraphWitnessKey& key,
                           const GraphWitness& witness) {
  GraphWitness& own = edge->witnesses[key];
  own.count += witness.count;
  own.threads.more |= witness.threads.more;
  for (const GraphText thread : witness.threads.texts) own.threads.Add(thread);
  if (edge->witnesses.size() <= kMostWitnesses) return;
  edge->witnesses.erase(std::prev(edge->witnesses.end()));
  edge->more_witnesses = true;
}

void LockGraph::Merge(const LockGraph& other) {
  processes += other.processes;
  same_class += other.same_class;
  dropped += other.dropped;
  std::vector<std::optional<uint32_t>> ids;  // of the other's classes here
  for (const GraphClass& theirs : other.classes_) {
    const std::optional<uint32_t> id = ClassOf(*theirs.key);
    ids.push_back(id);
    if (!id.has_value()) continue;
    GraphClass& ours = classes_[*id];
    // Two files may call one key differently only if somebody wrote in them.
    if (ours.label.empty() || theirs.label < ours.label) ours.label = theirs.label;
    if (ours.kind.empty() || theirs.kind < ours.kind) ours.kind = theirs.kind;
    ours.processes += theirs.processes;
    ours.instances = std::max(ours.instances, theirs.instances);
    MergeTexts(this, theirs.builds, &ours.builds);
  }
  for (const auto& [ends, theirs] : other.edges_) {
    const std::optional<uint32_t> from = ids[ends.first], to = ids[ends.second];
    GraphEdge* const ours = from.has_value() && to.has_value() ? EdgeOf(*from, *to) : nullptr;
    if (ours == nullptr) {
      ++dropped;
      continue;
    }
    ours->processes += theirs.processes;
    MergeTexts(this, theirs.runs, &ours->runs);
    ours->more_witnesses |= theirs.more_witnesses;
    for (const auto& [key, witness] : theirs.witnesses) {
      GraphWitnessKey key_here = key;
      key_here.from_site = Intern(*key.from_site);
      key_here.to_site = Intern(*key.to_site);
      for (auto& [gate, mode] : key_here.gates) gate = Intern(*gate);
      GraphWitness witness_here;
      witness_here.count = witness.count;
      MergeTexts(this, witness.threads, &witness_here.threads);
      AddWitness(ours, key_here, witness_here);
    }
  }
}

LockGraph LockGraph::Sorted() const {
  std::vector<GraphText> keys;
  for (const GraphClass& entry : classes_) keys.push_back(entry.key);
  std::sort(keys.begin(), keys.end(), TextLess());
  LockGraph sorted;
  for (const GraphText key : keys) sorted.ClassOf(*key);
  sorted.Merge(*this);
  return sorted;
}

std::vector<std::pair<uint32_t, uint32_t>> LockGraph::SortedEdges() const {
  std::vector<std::pair<uint32_t, uint32_t>> sorted;
  sorted.reserve(edges_.size());
  for (const auto& [ends, edge] : edges_) sorted.push_back(ends);
  std::sort(sorted.begin(), sorted.end(), [&](const auto& a, const auto& b) {
    const auto& [from_a, to_a] = a;
    const auto& [from_b, to_b] = b;
    const int order = Compare(classes_[from_a].key, classes_[from_b].key);
    return order != 0 ? order < 0 : Compare(classes_[to_a].key, classes_[to_b].key) < 0;
  });
  return sorted;
}

}  // namespace lockwarden
