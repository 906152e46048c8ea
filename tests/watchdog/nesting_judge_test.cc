// Locks of one class within each other: the orders that are learned, and their first breach.
#include <gtest/gtest.h>

#include <cstring>

#include "tests/watchdog/prediction_scene.h"
#include "watchdog/judge.h"

namespace lockwarden {
namespace {

// Locks of one class, nested at one place: every pair in the order of addresses but (1, 2).
class NestingTest : public PredictionTest {
 protected:
  void SetUp() override {
    PredictionTest::SetUp();
    for (int i = 0; i < 8; ++i) {
      locks.push_back(scene.Mutex());
      scene.book.lock(locks.back()).lock_class = 1;
    }
  }
  void ForgetEdges() {
    auto& used = scene.book.header().tables[ledger::kEdges].used;
    std::memset(static_cast<void*>(scene.book.ledger().Table<ledger::OrderEdge>(ledger::kEdges)), 0,
                used * sizeof(ledger::OrderEdge));
    used = 0;
  }
  void NestAllByAddress(uint32_t times = 8) {
    for (uint32_t i = 0; i < times; ++i) {
      for (uint32_t j = i + 1; j < times; ++j) {
        if (i == 1 && j == 2) continue;
        scene.book.AddEdge(locks[i], locks[j], {Seen(one, 0x4011, 0x4012)});
      }
    }
  }
  std::vector<Scene::Ref> locks;
};

TEST_F(NestingTest, TheFirstBreachOfAnOrderByAddressIsTold) {
  for (const bool breach_first : {false, true}) {
    const auto breach = [&] {
      scene.book.AddEdge(locks[2], locks[1], {Seen(two, 0x4013, 0x4014)});
    };
    if (breach_first) breach();
    NestAllByAddress();
    if (!breach_first) breach();
    const auto reader = scene.book.Reader();
    ProcessJudge judge(reader.get(), &scene.kernel, &scene.resolver, 1, {});
    const auto findings = judge.Finish(Scene::kStart);
    ASSERT_EQ(findings.size(), 1u);
    EXPECT_EQ(findings[0].kind, FindingKind::kPotentialDeadlock);
    EXPECT_EQ(findings[0].confidence, Confidence::kPossible);
    EXPECT_EQ(findings[0].headline,
              "POTENTIAL DEADLOCK: 2 locks of one class taken against their order by address");
    ForgetEdges();
  }
}

TEST_F(NestingTest, WhoTakesAParentUnderItsChildIsToldThoughNobodyElseHasTheseTwo) {
  for (uint32_t child = 1; child < 8; ++child) {
    scene.book.AddEdge(locks[child / 2], locks[child], {Seen(two, 0x4011, 0x4012)});
  }
  for (int more = 0; more < 12; ++more) {
    const auto leaf = scene.Mutex();
    scene.book.lock(leaf).lock_class = 1;
    scene.book.AddEdge(locks[1], leaf, {Seen(one, 0x4011, 0x4012)});
  }
  scene.book.AddEdge(locks[6], locks[1], {Seen(two, 0x4013, 0x4014)});
  const auto findings = scene.judge().Finish(Scene::kStart);
  ASSERT_EQ(findings.size(), 1u);
  EXPECT_EQ(findings[0].confidence, Confidence::kPossible);
  EXPECT_EQ(findings[0].headline,
            "POTENTIAL DEADLOCK: 2 locks of one class taken against their order parent before "
            "child");
}

TEST_F(NestingTest, WhatIsNoRuleOrNoBreachIsNotTold) {
  const auto told = [&] {
    const auto reader = scene.book.Reader();
    ProcessJudge judge(reader.get(), &scene.kernel, &scene.resolver, 1, {});
    const size_t count = judge.Finish(Scene::kStart).size();
    ForgetEdges();
    return count;
  };
  const auto breach = [&](ledger::OrderWitness witness, uint32_t from = 2, uint32_t to = 1) {
    scene.book.AddEdge(locks[from], locks[to], {witness});
  };
  NestAllByAddress(5);  // too few pairs
  breach(Seen(two, 0x4013, 0x4014));
  EXPECT_EQ(told(), 0u);
  NestAllByAddress();
  breach(Seen(one, 0x4013, 0x4014));  // the same thread
  EXPECT_EQ(told(), 0u);
  NestAllByAddress();
  ledger::OrderWitness timed = Seen(two, 0x4013, 0x4014);
  timed.to_mode |= ledger::kTimed;
  breach(timed);
  EXPECT_EQ(told(), 0u);
  NestAllByAddress();
  const auto stranger = scene.Mutex();
  scene.book.lock(stranger).lock_class = 1;
  scene.book.AddEdge(stranger, locks[1], {Seen(two, 0x4013, 0x4014)});  // never seen there
  EXPECT_EQ(told(), 0u);
  for (uint32_t child = 1; child < 8; ++child) {  // a tree of three levels, wide
    scene.book.AddEdge(locks[0], locks[child], {Seen(one, 0x4011, 0x4012)});
  }
  for (int more = 0; more < 12; ++more) {
    const auto leaf = scene.Mutex();
    scene.book.lock(leaf).lock_class = 1;
    scene.book.AddEdge(locks[1], leaf, {Seen(one, 0x4011, 0x4012)});
  }
  breach(Seen(two, 0x4013, 0x4014), 7, 1);
  EXPECT_EQ(told(), 0u) << "each has one parent";
}

}  // namespace
}  // namespace lockwarden
