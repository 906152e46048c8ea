// TopologicalOrder: a directed graph that grows edge by edge, its strongly connected
// components, and an order of these in which every edge between two of them leads forward.
// So most new edges need no search: an edge that leads forward closes no cycle.
//
// An edge that leads backward is searched for from both of its ends, only among components
// that stand between them, one step here and one there until one side has seen everything:
//   D. Pearce, P. Kelly: A Dynamic Topological Sort Algorithm for Directed Acyclic Graphs,
//   Journal of Experimental Algorithmics 11, 2006 (the affected region).
//   B. Alpern, R. Hoover, B. Rosen, P. Sweeney, K. Zadeck: Incremental Evaluation of
//   Computational Circuits, SODA 1990 (both sides at once, labels with gaps).
// The side that is done moves past the other end, which costs no more than it has seen: a
// lock above a hub of a million others is placed in one step. If the sides meet, the edge
// closes a cycle, and what lies on such cycles becomes one component:
//   D. Pearce, P. Kelly, C. Hankin: Online Cycle Detection and Difference Propagation for
//   Pointer Analysis, SCAM 2003.
// A component with nothing before it goes to the front, one with nothing behind it to the
// end, without a search: outermost and innermost locks are most of a program's.
// Labels lie apart; where a gap is used up those around it are spread again:
//   M. Bender et al.: Two Simplified Algorithms for Maintaining Order in a List, ESA 2002.
//
// Memory: kNodeBytes a node and kEdgeBytes an edge, in arrays that double.
// Thread safety: none. Must never: remove an edge.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace lockwarden {

class TopologicalOrder {
 public:
  static constexpr uint32_t kNone = 0xffffffffu;
  struct Edge {
    uint32_t from = 0, to = 0;
    uint32_t id = 0;
    uint32_t next_out = kNone, next_in = kNone;  // of the same node, older ones
  };

  uint32_t AddNode();
  // True if it lies within a component, so that it closes a cycle. Parallel edges are
  // allowed; loops (from == to) are not.
  bool AddEdge(uint32_t from, uint32_t to, uint32_t id);

  // The same number for all nodes of a component, until the next edge is added.
  uint32_t ComponentOf(uint32_t node);
  uint32_t FirstOut(uint32_t node) const { return nodes_[node].first_out; }
  uint32_t FirstIn(uint32_t node) const { return nodes_[node].first_in; }
  const Edge& EdgeAt(uint32_t edge) const { return edges_[edge]; }
  uint32_t nodes() const { return static_cast<uint32_t>(nodes_.size()); }
  uint32_t edges() const { return static_cast<uint32_t>(edges_.size()); }
  uint64_t steps() const { return steps_; }  // edges looked at so far, by all searches

  // Every edge between components leads forward; list, labels and members agree.
  bool CheckInvariants();

 private:
  struct Node {
    uint32_t first_out = kNone, first_in = kNone;
    uint32_t parent = 0;       // towards the component's representative
    uint32_t last_member = 0;  // of a representative; members are linked:
    uint32_t next_member = kNone;
    uint32_t before = kNone, behind = kNone;  // of a representative: its neighbours
    uint32_t seen[2] = {0, 0};                // the last search that saw it, backward and forward
    uint64_t label = 0;
  };

 public:
  static constexpr uint64_t kNodeBytes = sizeof(Node), kEdgeBytes = sizeof(Edge);

 private:
  // One side of a search: the components seen, and where it stands in them.
  struct Side {
    bool forward = false;
    std::vector<uint32_t> seen;
    size_t at = 0;            // the component that is being looked at, in `seen`
    uint32_t member = kNone;  // of it; kNone: not begun
    uint32_t edge = kNone;    // of the member
  };

  bool IsSeen(uint32_t component, bool forward) const {
    return nodes_[component].seen[forward ? 1 : 0] == search_;
  }
  void See(Side* side, uint32_t component);
  // One edge further, among components with labels from `lowest` to `highest`; false: it has
  // seen them all. Sets *met if the other side has seen where the edge leads.
  bool Advance(Side* side, uint64_t lowest, uint64_t highest, bool* met);
  bool HasEdges(uint32_t component, bool out) const;
  void Place(uint32_t from, uint32_t to);  // components; `to` stands before `from`
  // Those that `done` has seen and that lead to its other end become one with `keep`, which is
  // that end; the rest is left in *done.
  void Merge(Side* done, uint32_t keep);

  void Unlink(uint32_t component);
  // In this order directly behind `neighbour`; kNone: at the front.
  void LinkBehind(const std::vector<uint32_t>& components, uint32_t neighbour);
  void Spread(uint32_t component, uint32_t bits);
  void SpreadAll();

  std::vector<Node> nodes_;
  std::vector<Edge> edges_;
  uint32_t front_ = kNone, end_ = kNone;  // of the list of components
  uint32_t search_ = 0;
  Side forward_, backward_;  // scratch of Place
  uint64_t steps_ = 0;
};

}  // namespace lockwarden
