// Incremental components and order against reachability by brute force.
#include "watchdog/topological_order.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>
#include <random>
#include <utility>
#include <vector>

namespace lockwarden {
namespace {

// reach[a][b]: there is a path from a to b.
class Reachability {
 public:
  explicit Reachability(uint32_t nodes) : reach_(nodes, std::vector<bool>(nodes, false)) {
    for (uint32_t n = 0; n < nodes; ++n) reach_[n][n] = true;
  }
  void AddEdge(uint32_t from, uint32_t to) {
    for (std::vector<bool>& row : reach_) {
      if (!row[from]) continue;
      for (size_t n = 0; n < row.size(); ++n) row[n] = row[n] || reach_[to][n];
    }
  }
  bool OneComponent(uint32_t a, uint32_t b) const { return reach_[a][b] && reach_[b][a]; }

 private:
  std::vector<std::vector<bool>> reach_;
};

TEST(TopologicalOrderTest, AgreesWithItsNaiveTwinOnRandomGraphs) {
  std::mt19937 random(11);
  int closing = 0, merged = 0;
  for (int round = 0; round < 1000; ++round) {
    const uint32_t nodes = 2 + random() % 24;
    // Mostly forward in a hidden order, or there would soon be one component only.
    const uint32_t backward_in = 2 + random() % 8;
    std::vector<uint32_t> rank(nodes);
    std::iota(rank.begin(), rank.end(), 0u);
    std::shuffle(rank.begin(), rank.end(), random);
    TopologicalOrder order;
    Reachability twin(nodes);
    for (uint32_t n = 0; n < nodes; ++n) order.AddNode();
    for (uint32_t i = random() % (3 * nodes); i > 0; --i) {
      uint32_t a = random() % nodes, b = random() % nodes;
      if (a == b) continue;
      if (a > b && random() % backward_in != 0) std::swap(a, b);
      twin.AddEdge(rank[a], rank[b]);
      const bool closes = order.AddEdge(rank[a], rank[b], i);
      ASSERT_EQ(closes, twin.OneComponent(rank[a], rank[b])) << "round " << round;
      closing += closes;
      ASSERT_TRUE(order.CheckInvariants()) << "round " << round;
      for (uint32_t x = 0; x < nodes; ++x) {
        for (uint32_t y = 0; y < x; ++y) {
          const bool one = order.ComponentOf(x) == order.ComponentOf(y);
          ASSERT_EQ(one, twin.OneComponent(x, y)) << "round " << round;
          merged += one;
        }
      }
    }
  }
  EXPECT_GT(closing, 1000) << "the graphs are too thin to test anything";
  EXPECT_GT(merged, 1000);
}

TEST(TopologicalOrderTest, LabelsAreSpreadWhereManyComeBetweenTwo) {
  TopologicalOrder order;
  const uint32_t outer = order.AddNode(), hub = order.AddNode(), leaf = order.AddNode();
  order.AddEdge(outer, hub, 0);
  order.AddEdge(hub, leaf, 1);
  for (uint32_t i = 0; i < 3000; ++i) {  // each goes between the two
    const uint32_t middle = order.AddNode();
    order.AddEdge(outer, middle, 2);
    EXPECT_FALSE(order.AddEdge(middle, hub, 3));
    if (i % 500 == 0) {
      ASSERT_TRUE(order.CheckInvariants());
    }
  }
  EXPECT_TRUE(order.CheckInvariants());
}

TEST(TopologicalOrderTest, ALockAboveAHubOfManyIsPlacedWithoutLookingAtThem) {
  TopologicalOrder order;
  const uint32_t outer = order.AddNode(), hub = order.AddNode();
  order.AddEdge(outer, hub, 0);
  constexpr uint32_t kMany = 10'000;
  for (uint32_t i = 0; i < kMany; ++i) order.AddEdge(hub, order.AddNode(), i);
  const uint64_t before = order.steps();
  for (uint32_t i = 0; i < 100; ++i) {
    const uint32_t middle = order.AddNode();
    order.AddEdge(outer, middle, i);
    order.AddEdge(middle, hub, i);
  }
  EXPECT_LT(order.steps() - before, 1000u);
  EXPECT_TRUE(order.CheckInvariants());
}

TEST(TopologicalOrderTest, ARingBecomesOneComponentWithItsLastEdge) {
  TopologicalOrder order;
  constexpr uint32_t kSize = 2000;
  for (uint32_t i = 0; i < kSize; ++i) order.AddNode();
  for (uint32_t i = 0; i + 1 < kSize; ++i) EXPECT_FALSE(order.AddEdge(i, i + 1, i));
  EXPECT_TRUE(order.AddEdge(kSize - 1, 0, kSize));
  EXPECT_EQ(order.ComponentOf(0), order.ComponentOf(kSize / 2));
  EXPECT_TRUE(order.CheckInvariants());
}

}  // namespace
}  // namespace lockwarden
