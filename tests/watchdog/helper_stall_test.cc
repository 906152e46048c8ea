// Verdicts that rest on who was seen to help: at a queue, a barrier, an event. A ring beside what
// only looks like one, and what is said while others run beside what is said when nobody does.
#include <gtest/gtest.h>

#include <csignal>

#include "runtime/helpers.h"
#include "tests/watchdog/scene.h"

namespace lockwarden {
namespace {

class HelperTest : public testing::Test {
 protected:
  // As long as it takes for a stall to be told.
  static std::vector<Finding> Judge(Scene* scene) {
    std::vector<Finding> findings = scene->Judge();
    for (Finding& finding : scene->Step(Scene::kStart + 2'000'000'000)) {
      findings.push_back(std::move(finding));
    }
    return findings;
  }
  std::vector<Finding> Judge() { return Judge(&scene); }
  Scene scene;
};

// Each of two threads waits for a queue that only the other one was seen to fill; a third runs.
class QueueRing : public HelperTest {
 protected:
  void SetUp() override {
    other = scene.Thread("other");
    a = scene.Thread("a");
    b = scene.Thread("b");
    one = scene.Queue();
    two = scene.Queue();
    scene.Helps(b, one);
    scene.Helps(a, two);
    scene.BlockOn(a, one);
    scene.BlockOn(b, two);
  }
  uint32_t other = 0, a = 0, b = 0;
  Scene::Ref one = 0, two = 0;
};

TEST_F(QueueRing, IsAStallAndNoDeadlockWhileOthersRun) {
  const auto findings = Judge();
  ASSERT_EQ(findings.size(), 1u);
  EXPECT_EQ(findings[0].kind, FindingKind::kStall);
  EXPECT_EQ(findings[0].confidence, Confidence::kLikely);
  EXPECT_EQ(findings[0].headline,
            "STALL: 2 threads, 2 objects, stuck unless another thread steps in");
  EXPECT_NE(findings[0].story[0].find("whose other end only thread 'b' (tid 102) was seen at"),
            std::string::npos)
      << findings[0].story[0];
}

TEST_F(QueueRing, IsADeadlockWhenNobodyIsLeft) {
  scene.BlockJoin(other, a);
  const auto findings = Judge();
  ASSERT_EQ(findings.size(), 1u);
  EXPECT_EQ(findings[0].kind, FindingKind::kDeadlock);
  EXPECT_EQ(findings[0].confidence, Confidence::kStrong);
  EXPECT_EQ(findings[0].headline, "DEADLOCK: 2 threads, 2 objects");
  EXPECT_EQ(findings[0].threads.size(), 3u);
}

TEST_F(QueueRing, IsNoMoreThanAStallIfAHandlerCouldStepIn) {
  scene.BlockJoin(other, a);
  scene.kernel.caught_signals = uint64_t{1} << (SIGTERM - 1);
  const auto findings = Judge();
  ASSERT_EQ(findings.size(), 1u);
  EXPECT_EQ(findings[0].kind, FindingKind::kStall);
}

TEST_F(QueueRing, IsSilentIfAHandlerRunsByItself) {
  scene.BlockJoin(other, a);
  scene.kernel.caught_signals = uint64_t{1} << (SIGALRM - 1);
  EXPECT_TRUE(Judge().empty());
}

TEST_F(QueueRing, IsSilentIfAnotherThatWasSeenToFillOneCanRun) {
  scene.Helps(other, two);
  EXPECT_TRUE(Judge().empty());
}

TEST_F(QueueRing, IsToldIfAllThatWereSeenToFillOneAreStuck) {
  const uint32_t c = scene.Thread("c");
  scene.Helps(c, one);
  scene.BlockJoin(c, a);
  const auto findings = Judge();
  ASSERT_EQ(findings.size(), 1u);
  bool told = false;
  for (const std::string& line : findings[0].story) {
    told |= line.find("and 1 other were seen at") != std::string::npos;
  }
  EXPECT_TRUE(told);
}

TEST_F(QueueRing, IsSilentIfNobodyWasEverSeenToFillOne) {
  scene.book.thread(b).helped_count = 0;
  ledger::HelperCount(scene.book.lock(one)) = 0;
  EXPECT_TRUE(Judge().empty());
}

// It has ended, and its record is another thread's by now.
TEST_F(QueueRing, IsSilentIfOneThatFilledItIsNotToBeFound) {
  ledger::HelperCount(scene.book.lock(one)) = 2;
  EXPECT_TRUE(Judge().empty());
}

TEST_F(QueueRing, IsSilentIfMoreFilledItThanCouldBeListed) {
  ledger::HelperCount(scene.book.lock(one)) |= ledger::kUnlistedHelpers;
  EXPECT_TRUE(Judge().empty());
}

TEST_F(QueueRing, IsSilentIfOneThatFilledItHasEnded) {
  const uint32_t c = scene.Thread("c");
  scene.Helps(c, one);
  scene.book.thread(c).state = static_cast<uint32_t>(ledger::ThreadState::kExiting);
  scene.kernel.threads.erase(scene.TidOf(c));
  EXPECT_TRUE(Judge().empty());
}

TEST_F(QueueRing, IsSilentIfAWaitHasATimeLimit) {
  auto& wait = scene.book.thread(b).frame0.wait.wait;
  wait = wait | ledger::kTimed;
  EXPECT_TRUE(Judge().empty());
}

TEST_F(QueueRing, IsSilentIfTheKernelContradicts) {
  scene.kernel.Run(scene.TidOf(b));
  EXPECT_TRUE(Judge().empty());
}

TEST_F(QueueRing, IsSilentIfOneWentOnBetweenTheLooks) {
  EXPECT_TRUE(scene.Judge([&] { ++scene.book.thread(b).waits; }).empty());
}

TEST_F(QueueRing, IsSilentIfTheListIsOfTheQueuesFormerLife) {
  scene.book.thread(b).helped[0] =
      ledger::Pack(ledger::IndexOf(one), ledger::GenerationOf(one) + 1, 0);
  EXPECT_TRUE(Judge().empty());
}

// Workers that give each other work wait for somebody from outside.
TEST_F(HelperTest, AnIdlePoolIsSilent) {
  scene.Thread("other");
  const Scene::Ref queue = scene.Queue();
  for (int i = 0; i < 3; ++i) {
    const uint32_t worker = scene.Thread("worker");
    scene.Helps(worker, queue);
    scene.BlockOn(worker, queue);
  }
  EXPECT_TRUE(Judge().empty());
}

// A worker of the pool wants a lock that another one holds while it waits for work.
TEST_F(HelperTest, ALockHeldWhileWaitingForWorkIsAStallIfOnlyTheOneThatWantsItGivesAny) {
  for (const bool main_fills_it_too : {false, true}) {
    Scene pool;
    const uint32_t main = pool.Thread("main");
    const uint32_t takes = pool.Thread("takes"), gives = pool.Thread("gives");
    const Scene::Ref queue = pool.Queue(), mutex = pool.Mutex();
    pool.Helps(gives, queue);
    if (main_fills_it_too) pool.Helps(main, queue);
    pool.Take(takes, mutex);
    pool.BlockOn(takes, queue);
    pool.Block(gives, mutex);
    const auto findings = Judge(&pool);
    EXPECT_EQ(findings.size(), main_fills_it_too ? 0u : 1u);
    if (findings.empty()) continue;
    EXPECT_EQ(findings[0].kind, FindingKind::kStall);
    EXPECT_NE(findings[0].advice[0].find("release it before the wait"), std::string::npos);
  }
}

TEST_F(HelperTest, AnEventThatOnlyTheOneSetWhoIsJoined) {
  scene.Thread("other");
  const uint32_t waits = scene.Thread("waits"), sets = scene.Thread("sets");
  const Scene::Ref event = scene.Event();
  scene.Helps(sets, event);
  scene.BlockOn(waits, event);
  scene.BlockJoin(sets, waits);
  const auto findings = Judge();
  ASSERT_EQ(findings.size(), 1u);
  EXPECT_NE(findings[0].story[0].find("which only thread 'sets' (tid 102) was seen to set"),
            std::string::npos)
      << findings[0].story[0];
}

// `first` waits at a barrier and holds what `second` wants before it comes.
class LockAndBarrier : public HelperTest {
 protected:
  void SetUp() override {
    other = scene.Thread("other");
    first = scene.Thread("first");
    second = scene.Thread("second");
    barrier = scene.Barrier();
    const Scene::Ref mutex = scene.Mutex();
    scene.Take(first, mutex);
    scene.Block(second, mutex);
    for (uint32_t thread : {first, second}) scene.Helps(thread, barrier);
  }
  uint32_t other = 0, first = 0, second = 0;
  Scene::Ref barrier = 0;
};

TEST_F(LockAndBarrier, IsAStallIfThatOneMustStillCome) {
  scene.BlockBarrier(first, barrier, 2);
  const auto findings = Judge();
  ASSERT_EQ(findings.size(), 1u);
  EXPECT_EQ(findings[0].kind, FindingKind::kStall);
  bool told = false;
  for (const std::string& line : findings[0].story) {
    told |= line.find("(1 of 2 has come), to which thread 'second' (tid 102) has not come") !=
            std::string::npos;
  }
  EXPECT_TRUE(told) << findings[0].story[0];
}

TEST_F(LockAndBarrier, IsAStallIfAllThatUseItMustCome) {
  scene.Helps(other, barrier);
  scene.BlockBarrier(first, barrier, 3);
  EXPECT_EQ(Judge().size(), 1u);
}

TEST_F(LockAndBarrier, IsSilentIfOthersThatUseItAreEnough) {
  scene.Helps(other, barrier);
  scene.BlockBarrier(first, barrier, 2);
  EXPECT_TRUE(Judge().empty());
}

TEST_F(LockAndBarrier, IsSilentIfSomebodyMustComeWhoNeverDid) {
  scene.BlockBarrier(first, barrier, 3);
  EXPECT_TRUE(Judge().empty());
}

TEST_F(LockAndBarrier, IsSilentIfItIsNotKnownHowManyMakeARound) {
  scene.BlockBarrier(first, barrier);
  EXPECT_TRUE(Judge().empty());
}

TEST_F(HelperTest, ABarrierThatIsOneShortSaysHowManyHaveCome) {
  const Scene::Ref barrier = scene.Barrier();
  for (int i = 0; i < 2; ++i) scene.BlockBarrier(scene.Thread("w"), barrier, 3);
  const auto findings = Judge();
  ASSERT_EQ(findings.size(), 1u);
  EXPECT_EQ(findings[0].kind, FindingKind::kDeadlock);
  EXPECT_NE(findings[0].story[0].find("(2 of 3 have come)"), std::string::npos)
      << findings[0].story[0];
}

}  // namespace
}  // namespace lockwarden
