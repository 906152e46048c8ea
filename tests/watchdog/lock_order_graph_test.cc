// Incremental cycle search against enumeration by brute force.
#include "watchdog/lock_order_graph.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <set>

namespace lockwarden {
namespace {

struct TestEdge {
  uint32_t from, to;
};
using Cycle = std::vector<uint32_t>;  // edge ids, the smallest first

Cycle Canonical(Cycle cycle) {
  std::rotate(cycle.begin(), std::min_element(cycle.begin(), cycle.end()), cycle.end());
  return cycle;
}

// Every elementary cycle, by trying every path.
void Extend(const std::vector<TestEdge>& edges, std::vector<uint32_t>* path,
            std::set<uint32_t>* visited, std::set<Cycle>* found) {
  const uint32_t start = edges[path->front()].from;
  for (uint32_t id = 0; id < edges.size(); ++id) {
    if (edges[id].from != edges[path->back()].to) continue;
    path->push_back(id);
    if (edges[id].to == start) {
      found->insert(Canonical(*path));
    } else if (visited->insert(edges[id].to).second) {
      Extend(edges, path, visited, found);
      visited->erase(edges[id].to);
    }
    path->pop_back();
  }
}

std::set<Cycle> CyclesByBruteForce(const std::vector<TestEdge>& edges) {
  std::set<Cycle> found;
  for (uint32_t id = 0; id < edges.size(); ++id) {
    if (edges[id].from == edges[id].to) continue;
    std::vector<uint32_t> path{id};
    std::set<uint32_t> visited{edges[id].from, edges[id].to};
    Extend(edges, &path, &visited, &found);
  }
  return found;
}

LockKey Key(uint32_t n) { return {n, 1}; }

TEST(LockOrderGraphTest, FindsEveryCycleOfRandomGraphsExactlyOnce) {
  std::mt19937 random(7);
  size_t total = 0;
  for (int round = 0; round < 3000; ++round) {
    const uint32_t nodes = 2 + random() % 5;
    std::vector<TestEdge> edges;
    std::set<std::pair<uint32_t, uint32_t>> distinct;
    for (uint32_t n = random() % 13; n > 0; --n) {
      const TestEdge edge{static_cast<uint32_t>(random() % nodes),
                          static_cast<uint32_t>(random() % nodes)};
      if (distinct.insert({edge.from, edge.to}).second) edges.push_back(edge);
    }
    LockOrderGraph graph(OrderLimits{.max_length = 10, .cycles_an_edge = 100'000,
                                     .steps_an_edge = 100'000'000});
    std::set<Cycle> found;
    const auto search = [&](uint64_t budget) {
      graph.Search(budget, [&](const std::vector<uint32_t>& ids) {
        EXPECT_TRUE(found.insert(Canonical(ids)).second) << "told twice, round " << round;
      });
    };
    for (uint32_t id = 0; id < edges.size(); ++id) {
      graph.Add(Key(edges[id].from), Key(edges[id].to), id);
      if (random() % 3 == 0) search(random() % 4);  // batches of any size, small budgets
      ASSERT_TRUE(graph.CheckInvariants());
    }
    while (!graph.idle()) search(1'000'000);
    ASSERT_EQ(found, CyclesByBruteForce(edges)) << "round " << round;
    ASSERT_EQ(graph.cut(), 0u);
    total += found.size();
  }
  EXPECT_GT(total, 1000u) << "the graphs are too thin to test anything";
}

TEST(LockOrderGraphTest, ALongRingIsFoundDespiteTheLengthLimit) {
  LockOrderGraph graph(OrderLimits{.max_length = 3});
  constexpr uint32_t kSize = 500;
  for (uint32_t i = 0; i < kSize; ++i) graph.Add(Key(i), Key((i + 1) % kSize), i);
  size_t length = 0;
  graph.Search(1'000'000, [&](const std::vector<uint32_t>& ids) { length = ids.size(); });
  EXPECT_EQ(length, kSize);
}

TEST(LockOrderGraphTest, ADenseGraphIsCutAndTheCutIsCounted) {
  LockOrderGraph graph(OrderLimits{.max_length = 6, .cycles_an_edge = 5, .steps_an_edge = 1000});
  uint32_t id = 0;
  for (uint32_t i = 0; i < 30; ++i) {
    for (uint32_t j = 0; j < 30; ++j) graph.Add(Key(i), Key(j), id++);
  }
  size_t found = 0;
  while (!graph.idle()) graph.Search(10'000, [&](const std::vector<uint32_t>&) { ++found; });
  EXPECT_GT(found, 400u);
  EXPECT_GT(graph.cut(), 0u);
  EXPECT_TRUE(graph.CheckInvariants());
}

TEST(LockOrderGraphTest, LivesOfOneLockAreDifferentNodes) {
  LockOrderGraph graph;
  graph.Add({1, 1}, {2, 1}, 0);
  graph.Add({2, 1}, {1, 2}, 1);
  graph.Search(1000, [](const std::vector<uint32_t>&) { ADD_FAILURE(); });
}

}  // namespace
}  // namespace lockwarden
