// Reduction by worklist, Tarjan's components, shortest cycles by breadth-first search.
#include "watchdog/wait_for_graph.h"

#include <algorithm>

namespace lockwarden {
namespace {

constexpr uint32_t kNone = 0xffffffffu;

// Calls visit(node, other) for each edge between stuck nodes.
template <class Visit>
void ForEachStuckEdge(absl::Span<const WaitNode> nodes, const std::vector<bool>& stuck,
                      uint32_t node, Visit visit) {
  if (nodes[node].need != Need::kAll && nodes[node].need != Need::kAny) return;
  for (uint32_t other : nodes[node].on) {
    if (stuck[other]) visit(other);
  }
}

// R. Tarjan: Depth-first search and linear graph algorithms, 1972; without recursion,
// since a chain of waiting threads may be as long as the thread table.
std::vector<std::vector<uint32_t>> Components(absl::Span<const WaitNode> nodes,
                                              const std::vector<bool>& stuck) {
  struct Visit {
    uint32_t node;
    size_t next;
  };
  const uint32_t count = static_cast<uint32_t>(nodes.size());
  std::vector<uint32_t> order(count, kNone), low(count, 0);
  std::vector<bool> on_stack(count, false);
  std::vector<uint32_t> stack;
  std::vector<Visit> path;
  std::vector<std::vector<uint32_t>> components;
  uint32_t clock = 0;
  const auto enter = [&](uint32_t node) {
    order[node] = low[node] = clock++;
    stack.push_back(node);
    on_stack[node] = true;
    path.push_back({node, 0});
  };
  for (uint32_t root = 0; root < count; ++root) {
    if (!stuck[root] || order[root] != kNone) continue;
    enter(root);
    while (!path.empty()) {
      Visit& top = path.back();
      const WaitNode& node = nodes[top.node];
      const bool has_edges = node.need == Need::kAll || node.need == Need::kAny;
      if (has_edges && top.next < node.on.size()) {
        const uint32_t other = node.on[top.next++];
        if (!stuck[other]) continue;
        if (order[other] == kNone) {
          enter(other);
        } else if (on_stack[other]) {
          low[top.node] = std::min(low[top.node], order[other]);
        }
        continue;
      }
      const uint32_t done = top.node;
      path.pop_back();
      if (!path.empty()) low[path.back().node] = std::min(low[path.back().node], low[done]);
      if (low[done] != order[done]) continue;
      components.emplace_back();
      uint32_t member;
      do {
        member = stack.back();
        stack.pop_back();
        on_stack[member] = false;
        components.back().push_back(member);
      } while (member != done);
    }
  }
  return components;
}

// The shortest cycle through `start` inside its component, of more than one node; empty
// if there is none.
std::vector<uint32_t> CycleThrough(absl::Span<const WaitNode> nodes,
                                   const std::vector<bool>& inside, uint32_t start) {
  std::vector<uint32_t> from(nodes.size(), kNone);
  std::vector<uint32_t> queue{start};
  for (size_t at = 0; at < queue.size(); ++at) {
    const uint32_t node = queue[at];
    for (uint32_t other : nodes[node].on) {
      if (!inside[other] || other == node) continue;
      if (other == start) {
        std::vector<uint32_t> cycle;
        for (uint32_t n = node; n != start; n = from[n]) cycle.push_back(n);
        cycle.push_back(start);
        std::reverse(cycle.begin(), cycle.end());
        return cycle;
      }
      if (from[other] == kNone) {
        from[other] = node;
        queue.push_back(other);
      }
    }
  }
  return {};
}

}  // namespace

std::vector<bool> FindStuck(absl::Span<const WaitNode> nodes) {
  const uint32_t count = static_cast<uint32_t>(nodes.size());
  std::vector<bool> stuck(count, true);
  std::vector<uint32_t> missing(count, 0);  // kAll: how many in `on` have not gone on
  std::vector<std::vector<uint32_t>> waiters(count);
  std::vector<uint32_t> ready;
  bool anyone = false;
  const auto release = [&](uint32_t node) {
    if (!stuck[node]) return;
    stuck[node] = false;
    ready.push_back(node);
  };
  for (uint32_t i = 0; i < count; ++i) {
    const WaitNode& node = nodes[i];
    missing[i] = static_cast<uint32_t>(node.on.size());
    if (node.need == Need::kNothing || (node.need == Need::kAll && node.on.empty())) release(i);
    if (node.need != Need::kAll && node.need != Need::kAny) continue;
    for (uint32_t other : node.on) waiters[other].push_back(i);
  }
  while (!ready.empty()) {
    const uint32_t node = ready.back();
    ready.pop_back();
    if (!anyone) {
      anyone = true;  // whoever waits for just anybody has got somebody
      for (uint32_t i = 0; i < count; ++i) {
        if (nodes[i].need == Need::kAnyone) release(i);
      }
    }
    for (uint32_t waiter : waiters[node]) {
      if (nodes[waiter].need == Need::kAny || --missing[waiter] == 0) release(waiter);
    }
  }
  return stuck;
}

std::vector<std::vector<uint32_t>> FindCycles(absl::Span<const WaitNode> nodes,
                                              const std::vector<bool>& stuck) {
  constexpr size_t kStarts = 64;  // searches a component: each visits all of it at most
  std::vector<std::vector<uint32_t>> cycles;
  std::vector<bool> inside(nodes.size(), false);
  for (const std::vector<uint32_t>& component : Components(nodes, stuck)) {
    if (component.size() == 1) {
      bool self = false;
      ForEachStuckEdge(nodes, stuck, component[0],
                       [&](uint32_t other) { self |= other == component[0]; });
      if (self) cycles.push_back(component);
      continue;
    }
    for (uint32_t node : component) inside[node] = true;
    std::vector<uint32_t> best;
    for (size_t i = 0; i < std::min(component.size(), kStarts) && best.size() != 2; ++i) {
      std::vector<uint32_t> cycle = CycleThrough(nodes, inside, component[i]);
      if (best.empty() || cycle.size() < best.size()) best = std::move(cycle);
    }
    for (uint32_t node : component) inside[node] = false;
    // Begin with the smallest, so that the same deadlock reads the same each time.
    std::rotate(best.begin(), std::min_element(best.begin(), best.end()), best.end());
    cycles.push_back(std::move(best));
  }
  std::sort(cycles.begin(), cycles.end());
  return cycles;
}

std::vector<uint32_t> FindBehind(absl::Span<const WaitNode> nodes, const std::vector<bool>& stuck,
                                 absl::Span<const uint32_t> core) {
  std::vector<std::vector<uint32_t>> waiters(nodes.size());
  for (uint32_t i = 0; i < nodes.size(); ++i) {
    if (!stuck[i]) continue;
    ForEachStuckEdge(nodes, stuck, i, [&](uint32_t other) { waiters[other].push_back(i); });
  }
  std::vector<bool> seen(nodes.size(), false);
  for (uint32_t node : core) seen[node] = true;
  std::vector<uint32_t> queue(core.begin(), core.end());
  for (size_t at = 0; at < queue.size(); ++at) {
    for (uint32_t waiter : waiters[queue[at]]) {
      if (seen[waiter]) continue;
      seen[waiter] = true;
      queue.push_back(waiter);
    }
  }
  queue.erase(queue.begin(), queue.begin() + static_cast<std::ptrdiff_t>(core.size()));
  return queue;
}

bool CheckInvariants(absl::Span<const WaitNode> nodes, const std::vector<bool>& stuck) {
  if (stuck.size() != nodes.size()) return false;
  const bool all_stuck = std::find(stuck.begin(), stuck.end(), false) == stuck.end();
  for (size_t i = 0; i < nodes.size(); ++i) {
    const auto is_stuck = [&](uint32_t other) { return bool{stuck[other]}; };
    const std::vector<uint32_t>& on = nodes[i].on;
    bool expected = false;
    switch (nodes[i].need) {
      case Need::kNothing: expected = false; break;
      case Need::kNever: expected = true; break;
      case Need::kAll: expected = std::any_of(on.begin(), on.end(), is_stuck); break;
      case Need::kAny: expected = std::all_of(on.begin(), on.end(), is_stuck); break;
      case Need::kAnyone: expected = all_stuck; break;
    }
    if (stuck[i] != expected) return false;
  }
  return true;
}

}  // namespace lockwarden
