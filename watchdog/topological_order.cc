// The steps of topological_order.h. Components are sets with a representative (R. Tarjan:
// Efficiency of a Good But Not Linear Set Union Algorithm, 1975), which stands for them in a
// doubly linked list.
#include "watchdog/topological_order.h"

#include <algorithm>

namespace lockwarden {
namespace {

constexpr uint64_t kGap = uint64_t{1} << 32;
constexpr uint64_t kMiddle = uint64_t{1} << 62;
constexpr uint64_t kLowest = uint64_t{1} << 61, kHighest = uint64_t{3} << 61;
constexpr uint32_t kLabelBits = 62;

}  // namespace

uint32_t TopologicalOrder::AddNode() {
  const uint32_t node = nodes();
  nodes_.emplace_back();
  nodes_[node].parent = nodes_[node].last_member = node;
  LinkBehind({node}, end_);
  return node;
}

uint32_t TopologicalOrder::ComponentOf(uint32_t node) {
  while (nodes_[node].parent != node) {
    nodes_[node].parent = nodes_[nodes_[node].parent].parent;
    node = nodes_[node].parent;
  }
  return node;
}

// Of one node alone; a component of several has both.
bool TopologicalOrder::HasEdges(uint32_t component, bool out) const {
  const Node& node = nodes_[component];
  if (node.next_member != kNone) return true;
  return (out ? node.first_out : node.first_in) != kNone;
}

bool TopologicalOrder::AddEdge(uint32_t from, uint32_t to, uint32_t id) {
  const uint32_t source = ComponentOf(from), target = ComponentOf(to);
  if (source != target && nodes_[source].label > nodes_[target].label) {
    if (!HasEdges(source, /*out=*/false)) {
      Unlink(source);
      LinkBehind({source}, kNone);
    } else if (!HasEdges(target, /*out=*/true)) {
      Unlink(target);
      LinkBehind({target}, end_);
    } else {
      Place(source, target);
    }
  }
  const uint32_t edge = edges();
  edges_.push_back({from, to, id, nodes_[from].first_out, nodes_[to].first_in});
  nodes_[from].first_out = nodes_[to].first_in = edge;
  return source == target || ComponentOf(from) == ComponentOf(to);
}

void TopologicalOrder::See(Side* side, uint32_t component) {
  nodes_[component].seen[side->forward ? 1 : 0] = search_;
  side->seen.push_back(component);
}

bool TopologicalOrder::Advance(Side* side, uint64_t lowest, uint64_t highest, bool* met) {
  const auto first = [&](uint32_t node) {
    return side->forward ? nodes_[node].first_out : nodes_[node].first_in;
  };
  while (side->edge == kNone) {
    if (side->member == kNone) {
      if (side->at == side->seen.size()) return false;
      side->member = side->seen[side->at];
    } else {
      side->member = nodes_[side->member].next_member;
      if (side->member == kNone) {
        ++side->at;
        continue;
      }
    }
    side->edge = first(side->member);
  }
  const Edge& edge = edges_[side->edge];
  side->edge = side->forward ? edge.next_out : edge.next_in;
  ++steps_;
  const uint32_t other = ComponentOf(side->forward ? edge.to : edge.from);
  const uint64_t label = nodes_[other].label;
  if (label < lowest || label > highest || IsSeen(other, side->forward)) return true;
  *met |= IsSeen(other, !side->forward);
  See(side, other);
  return true;
}

void TopologicalOrder::Place(uint32_t from, uint32_t to) {
  const uint64_t lowest = nodes_[to].label, highest = nodes_[from].label;
  ++search_;
  forward_ = {.forward = true, .seen = {}};
  backward_ = {.forward = false, .seen = {}};
  See(&forward_, to);
  See(&backward_, from);
  bool met = false;
  Side* done = nullptr;
  while (done == nullptr) {
    if (!Advance(&forward_, lowest, highest, &met)) {
      done = &forward_;
    } else if (!Advance(&backward_, lowest, highest, &met)) {
      done = &backward_;
    }
  }
  const uint32_t end = done->forward ? from : to;
  if (met) Merge(done, end);
  std::sort(done->seen.begin(), done->seen.end(),
            [&](uint32_t a, uint32_t b) { return nodes_[a].label < nodes_[b].label; });
  for (uint32_t component : done->seen) Unlink(component);
  LinkBehind(done->seen, done->forward ? end : nodes_[end].before);
}

void TopologicalOrder::Merge(Side* done, uint32_t keep) {
  // Against the direction of the side that is done, only among what that has seen.
  std::vector<uint32_t> cycle{keep};
  const uint32_t inside = ++search_;
  const int back = done->forward ? 0 : 1, there = 1 - back;
  for (uint32_t component : done->seen) nodes_[component].seen[there] = inside;
  nodes_[keep].seen[back] = inside;
  for (size_t at = 0; at < cycle.size(); ++at) {
    for (uint32_t member = cycle[at]; member != kNone; member = nodes_[member].next_member) {
      uint32_t next = done->forward ? nodes_[member].first_in : nodes_[member].first_out;
      while (next != kNone) {
        const Edge& edge = edges_[next];
        next = done->forward ? edge.next_in : edge.next_out;
        ++steps_;
        const uint32_t other = ComponentOf(done->forward ? edge.from : edge.to);
        if (nodes_[other].seen[there] != inside || nodes_[other].seen[back] == inside) continue;
        nodes_[other].seen[back] = inside;
        cycle.push_back(other);
      }
    }
  }
  std::erase_if(done->seen,
                [&](uint32_t component) { return nodes_[component].seen[back] == inside; });
  for (size_t i = 1; i < cycle.size(); ++i) {
    Unlink(cycle[i]);
    nodes_[cycle[i]].parent = keep;
    nodes_[nodes_[keep].last_member].next_member = cycle[i];
    nodes_[keep].last_member = nodes_[cycle[i]].last_member;
  }
}

void TopologicalOrder::Unlink(uint32_t component) {
  Node& node = nodes_[component];
  (node.before == kNone ? front_ : nodes_[node.before].behind) = node.behind;
  (node.behind == kNone ? end_ : nodes_[node.behind].before) = node.before;
  node.before = node.behind = kNone;
}

void TopologicalOrder::LinkBehind(const std::vector<uint32_t>& components, uint32_t neighbour) {
  if (components.empty()) return;
  const uint64_t count = components.size();
  const uint32_t behind = neighbour == kNone ? front_ : nodes_[neighbour].behind;
  uint64_t label = kMiddle, step = kGap;
  if (neighbour != kNone && behind != kNone) {
    const auto room = [&] { return nodes_[behind].label - nodes_[neighbour].label; };
    for (uint32_t bits = 1; room() <= count; ++bits) Spread(neighbour, bits);
    step = room() / (count + 1);
    label = nodes_[neighbour].label;
  } else if (neighbour != kNone) {
    if (nodes_[neighbour].label > 2 * kMiddle - kGap * (count + 1)) SpreadAll();
    label = nodes_[neighbour].label;
  } else if (behind != kNone) {
    if (nodes_[behind].label < kGap * (count + 1)) SpreadAll();
    label = nodes_[behind].label - kGap * (count + 1);
  }
  uint32_t last = neighbour;
  for (uint32_t component : components) {
    label += step;
    nodes_[component].label = label;
    nodes_[component].before = last;
    (last == kNone ? front_ : nodes_[last].behind) = component;
    last = component;
  }
  nodes_[last].behind = behind;
  (behind == kNone ? end_ : nodes_[behind].before) = last;
}

// Spreads the labels of the range of 2^bits round this one, or of a larger one that is not
// as full: 2^i labels may have (2/T)^i owners.
void TopologicalOrder::Spread(uint32_t component, uint32_t bits) {
  constexpr double kT = 1.3;
  uint32_t first = component, last = component;
  uint64_t count = 1;
  double allowed = 1;
  for (uint32_t i = 1; i <= kLabelBits; ++i) {
    allowed *= 2 / kT;
    const uint64_t size = uint64_t{1} << i, base = nodes_[component].label & ~(size - 1);
    for (uint32_t n; (n = nodes_[first].before) != kNone && nodes_[n].label >= base; ++count) {
      first = n;
    }
    for (uint32_t n; (n = nodes_[last].behind) != kNone && nodes_[n].label - base < size; ++count) {
      last = n;
    }
    if (i < bits || static_cast<double>(count) > allowed) continue;
    uint64_t label = base;
    for (uint32_t n = first; label += size / (count + 1), nodes_[n].label = label, n != last;) {
      n = nodes_[n].behind;
    }
    return;
  }
  SpreadAll();
}

void TopologicalOrder::SpreadAll() {
  uint64_t count = 0, label = kLowest;
  for (uint32_t n = front_; n != kNone; n = nodes_[n].behind) ++count;
  const uint64_t step = (kHighest - kLowest) / (count + 1);
  for (uint32_t n = front_; n != kNone; n = nodes_[n].behind) nodes_[n].label = label += step;
}

bool TopologicalOrder::CheckInvariants() {
  uint32_t before = kNone;
  size_t members = 0;
  for (uint32_t n = front_; n != kNone; before = n, n = nodes_[n].behind) {
    if (nodes_[n].before != before || nodes_[n].parent != n) return false;
    if (before != kNone && nodes_[before].label >= nodes_[n].label) return false;
    for (uint32_t member = n; member != kNone; member = nodes_[member].next_member, ++members) {
      if (ComponentOf(member) != n) return false;
    }
  }
  if (end_ != before || members != nodes_.size()) return false;
  for (uint32_t i = 0; i < edges(); ++i) {
    const uint32_t from = ComponentOf(edges_[i].from), to = ComponentOf(edges_[i].to);
    if (from != to && nodes_[from].label >= nodes_[to].label) return false;
  }
  size_t out = 0, in = 0;
  for (uint32_t n = 0; n < nodes(); ++n) {
    for (uint32_t e = nodes_[n].first_out; e != kNone; e = edges_[e].next_out, ++out) {
      if (edges_[e].from != n) return false;
    }
    for (uint32_t e = nodes_[n].first_in; e != kNone; e = edges_[e].next_in, ++in) {
      if (edges_[e].to != n) return false;
    }
  }
  return out == edges_.size() && in == edges_.size();
}

}  // namespace lockwarden
