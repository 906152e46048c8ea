// Distances by breadth-first search backwards, cycles by a depth-first search that never
// takes a step from which it could not return in time.
#include "watchdog/lock_order_graph.h"

#include <algorithm>

namespace lockwarden {
namespace {

constexpr uint32_t kFar = 0xffffffffu;
constexpr uint64_t kStepsACycle = 100;  // what judging one costs, in steps of the search

}  // namespace

uint32_t LockOrderGraph::NodeOf(LockKey key) {
  const auto [at, fresh] = index_.try_emplace(key, order_.nodes());
  if (fresh) {
    order_.AddNode();
    distance_.push_back(kFar);
    on_path_.push_back(false);
  }
  return at->second;
}

void LockOrderGraph::Add(LockKey from, LockKey to, uint32_t id) {
  if (from == to) return;
  const uint32_t from_node = NodeOf(from);
  queue_.push_back({from_node, NodeOf(to), id});
}

void LockOrderGraph::Search(uint64_t budget, const OnCycle& on_cycle) {
  uint64_t spent = 0;
  while (!queue_.empty() && spent <= budget) {
    const Pending edge = queue_.front();
    queue_.pop_front();
    const uint64_t before = order_.steps();
    const bool closes = order_.AddEdge(edge.from, edge.to, edge.id);
    spent += 1 + order_.steps() - before;
    if (closes) spent += SearchFrom(edge, on_cycle);
  }
}

// Cycles that `edge` closes with edges inserted before it; no path to its start leads through
// it, nor on from there. Returns what it cost.
uint64_t LockOrderGraph::SearchFrom(const Pending& edge, const OnCycle& on_cycle) {
  uint64_t steps = 0;
  // How far each node of the component is from the start of the new edge.
  std::vector<uint32_t> reached{edge.from};
  distance_[edge.from] = 0;
  const uint32_t component = order_.ComponentOf(edge.from);
  for (size_t at = 0; at < reached.size(); ++at) {
    for (uint32_t in = order_.FirstIn(reached[at]); in != TopologicalOrder::kNone;
         in = order_.EdgeAt(in).next_in) {
      ++steps;
      const uint32_t before = order_.EdgeAt(in).from;
      if (distance_[before] != kFar || order_.ComponentOf(before) != component) continue;
      distance_[before] = distance_[reached[at]] + 1;
      reached.push_back(before);
    }
  }
  if (distance_[edge.to] != kFar) {
    const uint32_t shortest = distance_[edge.to] + 1;
    const uint32_t longest = std::max(limits_.max_length, shortest);
    uint32_t found = 0;
    uint64_t allowed = limits_.steps_an_edge;
    bool gave_up = false;
    struct Step {
      uint32_t node;
      uint32_t next;  // edge
    };
    std::vector<Step> path;
    std::vector<uint32_t> ids;
    // Ever longer, so that a bound cuts the longest.
    for (uint32_t length = shortest; length <= longest && !gave_up; ++length) {
      path.assign(1, {edge.to, order_.FirstOut(edge.to)});
      ids.clear();
      on_path_[edge.to] = true;
      while (!path.empty() && !gave_up) {
        if (path.back().next == TopologicalOrder::kNone) {
          on_path_[path.back().node] = false;
          path.pop_back();
          if (!ids.empty()) ids.pop_back();
          continue;
        }
        const TopologicalOrder::Edge& step = order_.EdgeAt(path.back().next);
        path.back().next = step.next_out;
        ++steps;
        // Edges still to go after this step, the closing one not counted.
        const uint32_t used = static_cast<uint32_t>(path.size());
        const uint32_t left = length - 1 - used;
        if (distance_[step.to] > left || on_path_[step.to]) continue;
        if (step.to == edge.from) {
          if (left != 0) continue;  // a shorter cycle: met already
          ids.push_back(step.id);
          ids.push_back(edge.id);
          on_cycle(ids);
          steps += kStepsACycle;
          ids.resize(ids.size() - 2);
          gave_up = ++found >= limits_.cycles_an_edge;
          continue;
        }
        if (found > 0 && --allowed == 0) gave_up = true;
        ids.push_back(step.id);
        on_path_[step.to] = true;
        path.push_back({step.to, order_.FirstOut(step.to)});
      }
      for (const Step& step : path) on_path_[step.node] = false;
    }
    if (gave_up) ++cut_;
  }
  for (uint32_t node : reached) distance_[node] = kFar;
  return steps;
}

bool LockOrderGraph::CheckInvariants() {
  const auto is_far = [](uint32_t distance) { return distance == kFar; };
  return order_.CheckInvariants() && std::all_of(distance_.begin(), distance_.end(), is_far) &&
         std::count(on_path_.begin(), on_path_.end(), true) == 0;
}

}  // namespace lockwarden
