// Components by Tarjan, distances by breadth-first search backwards, cycles by a
// depth-first search that never takes a step from which it could not return in time.
#include "watchdog/lock_order_graph.h"

#include <algorithm>

namespace lockwarden {
namespace {

constexpr uint32_t kFar = 0xffffffffu;
constexpr uint64_t kStepsACycle = 100;  // what judging one costs, in steps of the search

}  // namespace

uint32_t LockOrderGraph::NodeOf(LockKey key) {
  const auto [at, fresh] = index_.try_emplace(key, static_cast<uint32_t>(out_.size()));
  if (fresh) {
    out_.emplace_back();
    in_.emplace_back();
    distance_.push_back(kFar);
  }
  return at->second;
}

void LockOrderGraph::Add(LockKey from, LockKey to, uint32_t id) {
  if (from == to) return;
  const uint32_t from_node = NodeOf(from);
  queue_.push_back({from_node, NodeOf(to), id});
  components_current_ = false;
}

void LockOrderGraph::Insert(const Pending& edge) {
  out_[edge.from].push_back({edge.to, edge.id});
  in_[edge.to].push_back({edge.from, edge.id});
  ++edge_count_;
}

void LockOrderGraph::Search(uint64_t budget, const OnCycle& on_cycle) {
  if (queue_.empty()) return;
  if (!components_current_) FindComponents();
  uint64_t spent = 0;
  while (!queue_.empty() && spent <= budget) {
    const Pending edge = queue_.front();
    queue_.pop_front();
    spent += 1;
    if (component_[edge.from] == component_[edge.to]) spent += SearchFrom(edge, on_cycle);
    Insert(edge);
  }
}

// Over inserted and queued edges together: inserting the queued ones does not change it.
void LockOrderGraph::FindComponents() {
  const uint32_t count = static_cast<uint32_t>(out_.size());
  std::vector<std::vector<uint32_t>> queued(count);
  for (const Pending& edge : queue_) queued[edge.from].push_back(edge.to);
  struct Visit {
    uint32_t node;
    size_t next;
  };
  std::vector<uint32_t> order(count, kFar), low(count, 0), stack;
  std::vector<bool> on_stack(count, false);
  std::vector<Visit> path;
  component_.assign(count, kFar);
  uint32_t clock = 0, components = 0;
  const auto enter = [&](uint32_t node) {
    order[node] = low[node] = clock++;
    stack.push_back(node);
    on_stack[node] = true;
    path.push_back({node, 0});
  };
  for (uint32_t root = 0; root < count; ++root) {
    if (order[root] != kFar) continue;
    enter(root);
    while (!path.empty()) {
      const uint32_t node = path.back().node;
      const size_t next = path.back().next++;
      if (next < out_[node].size() + queued[node].size()) {
        const uint32_t other = next < out_[node].size() ? out_[node][next].node
                                                        : queued[node][next - out_[node].size()];
        if (order[other] == kFar) {
          enter(other);
        } else if (on_stack[other]) {
          low[node] = std::min(low[node], order[other]);
        }
        continue;
      }
      path.pop_back();
      if (!path.empty()) low[path.back().node] = std::min(low[path.back().node], low[node]);
      if (low[node] != order[node]) continue;
      uint32_t member;
      do {
        member = stack.back();
        stack.pop_back();
        on_stack[member] = false;
        component_[member] = components;
      } while (member != node);
      ++components;
    }
  }
  components_current_ = true;
}

// Cycles that `edge` closes with edges inserted before it. Returns what it cost.
uint64_t LockOrderGraph::SearchFrom(const Pending& edge, const OnCycle& on_cycle) {
  uint64_t steps = 0;
  // How far each node of the component is from the start of the new edge.
  std::vector<uint32_t> reached{edge.from};
  distance_[edge.from] = 0;
  for (size_t at = 0; at < reached.size(); ++at) {
    for (const Edge& before : in_[reached[at]]) {
      ++steps;
      if (distance_[before.node] != kFar || component_[before.node] != component_[edge.from]) {
        continue;
      }
      distance_[before.node] = distance_[reached[at]] + 1;
      reached.push_back(before.node);
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
      size_t next;
    };
    std::vector<Step> path;
    std::vector<uint32_t> ids;
    std::vector<bool> on_path(out_.size(), false);
    // Ever longer, so that a bound cuts the longest.
    for (uint32_t length = shortest; length <= longest && !gave_up; ++length) {
      path.assign(1, {edge.to, 0});
      ids.clear();
      on_path[edge.to] = true;
      while (!path.empty() && !gave_up) {
        const uint32_t node = path.back().node;
        if (path.back().next == out_[node].size()) {
          on_path[node] = false;
          path.pop_back();
          if (!ids.empty()) ids.pop_back();
          continue;
        }
        const Edge& step = out_[node][path.back().next++];
        ++steps;
        // Edges still to go after this step, the closing one not counted.
        const uint32_t used = static_cast<uint32_t>(path.size());
        const uint32_t left = length - 1 - used;
        if (distance_[step.node] > left || on_path[step.node]) continue;
        if (step.node == edge.from) {
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
        on_path[step.node] = true;
        path.push_back({step.node, 0});
      }
      for (const Step& step : path) on_path[step.node] = false;
    }
    if (gave_up) ++cut_;
  }
  for (uint32_t node : reached) distance_[node] = kFar;
  return steps;
}

bool LockOrderGraph::CheckInvariants() const {
  size_t out_edges = 0, in_edges = 0;
  for (size_t node = 0; node < out_.size(); ++node) {
    out_edges += out_[node].size();
    in_edges += in_[node].size();
    if (distance_[node] != kFar) return false;
    for (const Edge& edge : out_[node]) {
      const std::vector<Edge>& back = in_[edge.node];
      if (std::none_of(back.begin(), back.end(), [&](const Edge& other) {
            return other.id == edge.id && other.node == node;
          })) {
        return false;
      }
    }
  }
  return out_edges == edge_count_ && in_edges == edge_count_;
}

}  // namespace lockwarden
