// Threads that ended holding a lock: what must be told beside what must not.
#include <gtest/gtest.h>

#include "tests/watchdog/scene.h"

namespace lockwarden {
namespace {

class ExitWatchTest : public testing::Test {
 protected:
  void SetUp() override {
    stays = scene.Thread("stays");
    ends = scene.Thread("ends");
    mutex = scene.Mutex();
  }
  void BeginsToEnd() {
    scene.book.thread(ends).state =
        ledger::InState(scene.book.thread(ends).state, ledger::ThreadState::kExiting);
  }
  void Ends() {
    BeginsToEnd();
    scene.kernel.threads.erase(scene.TidOf(ends));
  }
  std::vector<Finding> Looks() {
    std::vector<Finding> findings;
    for (int i = 0; i < 3; ++i) {
      for (Finding& finding : scene.Step(Scene::kStart + static_cast<uint64_t>(i))) {
        findings.push_back(std::move(finding));
      }
    }
    return findings;
  }
  Scene scene;
  uint32_t stays = 0, ends = 0;
  Scene::Ref mutex = 0;
};

TEST_F(ExitWatchTest, AMutexThatAGoneThreadHoldsIsToldOnceWithBothPlaces) {
  scene.Take(ends, mutex, 0x4011);
  scene.book.thread(ends).exit_stack = scene.book.AddStack({0x4021});
  Ends();
  const auto findings = Looks();
  ASSERT_EQ(findings.size(), 1u);
  EXPECT_EQ(findings[0].kind, FindingKind::kMisuse);
  EXPECT_EQ(findings[0].misuse, "exit_holding");
  EXPECT_EQ(findings[0].confidence, Confidence::kStrong);
  EXPECT_EQ(findings[0].headline,
            "MISUSE: thread 'ends' (tid 101) ended while holding mutex 1");
  EXPECT_EQ(findings[0].story[0],
            "Thread 'ends' (tid 101) ended while holding mutex 1 (taken at f4011, file.cc:17), by "
            "pthread_exit (called at f4021, file.cc:33): nobody is left to release it.");
}

TEST_F(ExitWatchTest, WhileItsDestructorsRunItMayReleaseIt) {
  scene.Take(ends, mutex);
  BeginsToEnd();
  EXPECT_TRUE(Looks().empty());
}

TEST_F(ExitWatchTest, TheKernelMayHaveGivenItsTidToANewThread) {
  scene.Take(ends, mutex);
  BeginsToEnd();
  const uint32_t next = scene.Thread("next");
  scene.book.thread(next).tid = scene.TidOf(ends);
  EXPECT_EQ(Looks().size(), 1u);
}

TEST_F(ExitWatchTest, WhatTheLockWordContradictsIsNotTold) {
  scene.Take(ends, mutex);
  Ends();
  scene.kernel.SetWord(scene.AddressOf(mutex) + 8, scene.TidOf(stays));
  EXPECT_TRUE(Looks().empty());
}

TEST_F(ExitWatchTest, AMutexThatOthersReleaseIsNotTold) {
  scene.Take(ends, mutex);
  scene.book.lock(mutex).foreign_releases = 1;
  Ends();
  EXPECT_TRUE(Looks().empty());
}

TEST_F(ExitWatchTest, ARobustMutexIsHandedOn) {
  const auto robust = scene.Mutex(ledger::kInitSeen | ledger::kRobust);
  scene.Take(ends, robust);
  Ends();
  EXPECT_TRUE(Looks().empty());
}

TEST_F(ExitWatchTest, AUnitOfASemaphoreIsNobodys) {
  scene.TakeUnit(ends, scene.Semaphore());
  Ends();
  EXPECT_TRUE(Looks().empty());
}

TEST_F(ExitWatchTest, AReaderIsToldWithADoubt) {
  const auto rwlock = scene.RwLock();
  scene.TakeShared(ends, rwlock);
  Ends();
  const auto findings = Looks();
  ASSERT_EQ(findings.size(), 1u);
  EXPECT_EQ(findings[0].confidence, Confidence::kLikely);
}

TEST_F(ExitWatchTest, AProcessThatEndsTakesItsThreadsAlong) {
  scene.Take(ends, mutex);
  Ends();
  EXPECT_TRUE(scene.Step(Scene::kStart).empty());
  scene.kernel.memory_readable = false;
  EXPECT_TRUE(Looks().empty());
  EXPECT_TRUE(scene.judge().Finish(Scene::kStart + 10).empty());
}

TEST_F(ExitWatchTest, WhoWasJoinedIsGoneEvenIfNobodyCanBeAsked) {
  scene.Take(ends, mutex);
  Ends();
  scene.book.thread(ends).flags = ledger::kThreadJoined;
  scene.kernel.memory_readable = false;
  const auto findings = scene.judge().Finish(Scene::kStart);
  ASSERT_EQ(findings.size(), 1u);
  EXPECT_EQ(findings[0].confidence, Confidence::kLikely);
}

}  // namespace
}  // namespace lockwarden
