// The reduction against a naive twin, and the cycles that it leaves.
#include "watchdog/wait_for_graph.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <set>

namespace lockwarden {
namespace {

// Lets one thread after another run to its end, in rounds, as an operating system would.
std::vector<bool> StuckBySimulation(const std::vector<WaitNode>& nodes) {
  std::set<uint32_t> finished;
  for (bool progress = true; progress;) {
    progress = false;
    for (uint32_t i = 0; i < nodes.size(); ++i) {
      if (finished.count(i) != 0) continue;
      const auto& on = nodes[i].on;
      const auto is_finished = [&](uint32_t n) { return finished.count(n) != 0; };
      const bool can_go =
          nodes[i].need == Need::kNothing ||
          (nodes[i].need == Need::kAll && std::all_of(on.begin(), on.end(), is_finished)) ||
          (nodes[i].need == Need::kAny && std::any_of(on.begin(), on.end(), is_finished)) ||
          (nodes[i].need == Need::kAnyone && !finished.empty());
      if (!can_go) continue;
      finished.insert(i);
      progress = true;
    }
  }
  std::vector<bool> stuck;
  for (uint32_t i = 0; i < nodes.size(); ++i) stuck.push_back(finished.count(i) == 0);
  return stuck;
}

bool Waits(const WaitNode& node, uint32_t on) {
  return std::find(node.on.begin(), node.on.end(), on) != node.on.end();
}

TEST(WaitForGraphTest, AgreesWithItsNaiveTwinOnRandomGraphs) {
  std::mt19937 random(20240607);
  for (int round = 0; round < 20'000; ++round) {
    const uint32_t size = 1 + random() % 10;
    std::vector<WaitNode> nodes(size);
    for (WaitNode& node : nodes) {
      // Mostly blocked, or hardly anything would be stuck.
      const Need needs[] = {Need::kAll, Need::kAll, Need::kAny, Need::kAnyone, Need::kNever,
                            Need::kNothing, Need::kAll, Need::kAny};
      node.need = needs[random() % (random() % 4 == 0 ? 8 : 4)];
      for (uint32_t n = random() % 3; n > 0; --n) node.on.push_back(random() % size);
    }
    const std::vector<bool> stuck = FindStuck(nodes);
    ASSERT_EQ(stuck, StuckBySimulation(nodes)) << "round " << round;
    ASSERT_TRUE(CheckInvariants(nodes, stuck)) << "round " << round;
    for (const std::vector<uint32_t>& cycle : FindCycles(nodes, stuck)) {
      ASSERT_EQ(std::set<uint32_t>(cycle.begin(), cycle.end()).size(), cycle.size());
      for (size_t i = 0; i < cycle.size(); ++i) {
        ASSERT_TRUE(stuck[cycle[i]]);
        ASSERT_TRUE(Waits(nodes[cycle[i]], cycle[(i + 1) % cycle.size()])) << "round " << round;
      }
    }
  }
}

TEST(WaitForGraphTest, ADuplicateHolderIsWaitedForOnce) {
  const std::vector<WaitNode> nodes{{Need::kAll, {1, 1}}, {Need::kNothing, {}}};
  EXPECT_EQ(FindStuck(nodes), (std::vector<bool>{false, false}));
}

TEST(WaitForGraphTest, AKnotIsStuckAndAWayOutFreesIt) {
  std::vector<WaitNode> nodes{{Need::kAny, {1, 2}}, {Need::kAny, {0}}, {Need::kAll, {0}}};
  EXPECT_EQ(FindStuck(nodes), (std::vector<bool>{true, true, true}));
  nodes[1].need = Need::kNothing;
  EXPECT_EQ(FindStuck(nodes), (std::vector<bool>{false, false, false}));
}

TEST(WaitForGraphTest, EachComponentGivesItsShortestCycle) {
  // 0 -> 1 -> 2 -> 0 with the shortcut 1 -> 0; apart from that 3 -> 3; 4 waits for 3.
  const std::vector<WaitNode> nodes{{Need::kAll, {1}}, {Need::kAll, {2, 0}}, {Need::kAll, {0}},
                                    {Need::kAll, {3}}, {Need::kAll, {3}}};
  const std::vector<bool> stuck = FindStuck(nodes);
  const std::vector<std::vector<uint32_t>> cycles = FindCycles(nodes, stuck);
  ASSERT_EQ(cycles.size(), 2u);
  EXPECT_EQ(cycles[0], (std::vector<uint32_t>{0, 1}));
  EXPECT_EQ(cycles[1], (std::vector<uint32_t>{3}));
  EXPECT_EQ(FindBehind(nodes, stuck, cycles[0]), (std::vector<uint32_t>{2}));
  EXPECT_EQ(FindBehind(nodes, stuck, cycles[1]), (std::vector<uint32_t>{4}));
}

TEST(WaitForGraphTest, ALongChainNeedsNoDeepStack) {
  constexpr uint32_t kSize = 100'000;
  std::vector<WaitNode> nodes(kSize);
  for (uint32_t i = 0; i < kSize; ++i) nodes[i] = {Need::kAll, {(i + 1) % kSize}};
  const std::vector<bool> stuck = FindStuck(nodes);
  const auto cycles = FindCycles(nodes, stuck);
  ASSERT_EQ(cycles.size(), 1u);
  EXPECT_EQ(cycles[0].size(), kSize);
}

}  // namespace
}  // namespace lockwarden
