// LockGraph: which classes of locks were taken while which were held, by all processes that it
// was merged from: from one, or from ten thousand of a fleet or a history of test runs.
//
// A class stands for all locks that are created by the same code: it is known by its declared
// name, by the variable that the locks lie in, or by the code that created or first took them;
// where there are no symbols by build id and offset. So what is said of classes holds of some
// locks of theirs, perhaps not of the same ones: it is weaker than what one process shows.
//
// Merging is associative and commutative: whatever is kept only in part (who saw an order, by
// which witnesses) is kept by a total order on it, the smallest first. Memory: bounded by the
// different classes and orders, not by the number of files.
//
// Not thread-safe. Must never: depend on the order in which graphs were merged.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <unordered_set>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "runtime/lock_ref.h"

namespace lockwarden {

// Interned in the graph that it belongs to; compared by what it points to.
using GraphText = const std::string*;
struct TextLess {
  bool operator()(GraphText a, GraphText b) const { return a != b && *a < *b; }
};

// The smallest `kMost` of what was added; says whether there were more.
template <size_t kMost>
struct SmallestTexts {
  std::set<GraphText, TextLess> texts;
  bool more = false;
  void Add(GraphText text) {
    texts.insert(text);
    if (texts.size() <= kMost) return;
    texts.erase(std::prev(texts.end()));
    more = true;
  }
};

// A lock class; ids are its place in LockGraph::classes().
struct GraphClass {
  GraphText key = nullptr;  // what identifies it
  std::string label;        // for people
  std::string kind;         // "mutex", ...
  SmallestTexts<4> builds;  // build ids of the code that it is known by
  uint64_t processes = 0;   // that had such locks in an order
  uint64_t instances = 0;   // most locks of it in one process, of those in an order
};

// How an order was taken: all that decides whether it can be part of a deadlock.
struct GraphWitnessKey {
  bool bounded = false;                // the second lock was taken by a try, or with a time limit
  bool gates_dropped = false;          // more locks were held than were noted
  uint8_t from_mode = 0, to_mode = 0;  // ledger::Mode
  std::vector<std::pair<GraphText, uint8_t>> gates;  // further classes held, sorted
  // Up to three frames, a line each: "function\tfile\tline\tmodule\toffset".
  GraphText from_site = nullptr, to_site = nullptr;
};
struct WitnessLess {
  bool operator()(const GraphWitnessKey& a, const GraphWitnessKey& b) const;
};
struct GraphWitness {
  uint64_t count = 0;        // how many such witnesses there were, over all processes
  SmallestTexts<4> threads;  // "IMAGE-ID:SERIAL", or "main" of any process
};

struct GraphEdge {
  uint64_t processes = 0;
  SmallestTexts<4> runs;  // "TIME IMAGE-ID PID HOST PROGRAM"
  std::map<GraphWitnessKey, GraphWitness, WitnessLess> witnesses;
  bool more_witnesses = false;
};

class LockGraph {
 public:
  LockGraph() = default;
  LockGraph(LockGraph&&) = default;
  LockGraph& operator=(LockGraph&&) = default;

  // The text, kept as long as the graph.
  GraphText Intern(absl::string_view text);
  // Of the class with that key, which is made if it is not there; nullopt: there are too many.
  std::optional<uint32_t> ClassOf(absl::string_view key);
  GraphClass& class_at(uint32_t id) { return classes_[id]; }
  // Null: there are too many.
  GraphEdge* EdgeOf(uint32_t from, uint32_t to);
  static void AddWitness(GraphEdge* edge, const GraphWitnessKey& key, const GraphWitness& witness);

  void Merge(const LockGraph& other);
  // The same graph with its classes in the order of their keys: whatever is made from it does not
  // depend on who was merged first.
  LockGraph Sorted() const;

  const std::vector<GraphClass>& classes() const { return classes_; }
  const absl::flat_hash_map<std::pair<uint32_t, uint32_t>, GraphEdge>& edges() const {
    return edges_;
  }
  // Pairs of keys, sorted: the order of everything that is written.
  std::vector<std::pair<uint32_t, uint32_t>> SortedEdges() const;

  uint64_t processes = 0;
  uint64_t same_class =
      0;                 // orders of two locks of one class, which a graph of classes cannot judge
  uint64_t dropped = 0;  // orders that were not kept: by the recorders, or for want of room here

 private:
  std::unique_ptr<std::unordered_set<std::string>> texts_ =
      std::make_unique<std::unordered_set<std::string>>();
  std::vector<GraphClass> classes_;
  absl::flat_hash_map<GraphText, uint32_t> class_ids_;
  absl::flat_hash_map<std::pair<uint32_t, uint32_t>, GraphEdge> edges_;
};

// The file form, JSON lines; docs/reports.md describes it. Equal graphs give equal bytes.
inline constexpr char kLockGraphSuffix[] = ".lockgraph";
inline constexpr int kLockGraphVersion = 1;
std::string LockGraphText(const LockGraph& graph);
// Whether a file's first line is that of a lock graph, of any version.
bool IsLockGraph(absl::string_view first_line);
// `next_line`: false at the end. Errors: kInvalidArgument, "line N: what is wrong".
absl::StatusOr<LockGraph> ParseLockGraph(const std::function<bool(std::string*)>& next_line);

}  // namespace lockwarden
