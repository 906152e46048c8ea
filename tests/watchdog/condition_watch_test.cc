// Waits that nobody is left to signal while other threads run: what is told, beside its
// harmless twins.
#include "watchdog/condition_watch.h"

#include <gtest/gtest.h>

#include "tests/watchdog/scene.h"

namespace lockwarden {
namespace {

constexpr uint64_t kTick = 100'000'000;

std::string Text(const std::vector<std::string>& lines) {
  std::string text;
  for (const std::string& line : lines) text += line + "\n";
  return text;
}

class ConditionWatchTest : public testing::Test {
 protected:
  // A second and a half, a look every tenth.
  std::vector<Finding> Watch() {
    std::vector<Finding> findings;
    for (uint64_t i = 0; i < 15; ++i) {
      for (Finding& finding : scene.Step(now_ns += kTick)) findings.push_back(std::move(finding));
    }
    return findings;
  }

  Scene scene;
  uint64_t now_ns = Scene::kStart;
  const uint32_t waiter = scene.Thread("waiter");
  const uint32_t other = scene.Thread("other");
  const uint32_t ticker = scene.Thread("ticker");  // runs throughout
  const Scene::Ref outer = scene.Mutex();
  const Scene::Ref inner = scene.Mutex();
  const Scene::Ref condition = scene.Condition();
};

class NestedMonitorTest : public ConditionWatchTest {
 protected:
  void SetUp() override {
    scene.Take(waiter, outer, 0x4011);
    scene.BlockCondition(waiter, condition, inner, /*on_mutex=*/false);
    scene.Block(other, outer);
  }
};

TEST_F(NestedMonitorTest, IsToldOnceOnceTheSignallerWaitsForTheWaiter) {
  scene.Signalled(scene.SerialOf(other), condition, /*heard=*/true);
  const std::vector<Finding> findings = Watch();
  ASSERT_EQ(findings.size(), 1u);
  const Finding& finding = findings[0];
  EXPECT_EQ(finding.kind, FindingKind::kNestedMonitor);
  EXPECT_EQ(finding.confidence, Confidence::kLikely);
  EXPECT_EQ(finding.headline,
            "NESTED MONITOR: thread 'waiter' (tid 100) waits for a signal on condition 3, holding "
            "what its signallers wait for");
  EXPECT_NE(Text(finding.story).find("while it holds mutex 1 (taken at f4011"), std::string::npos);
  EXPECT_NE(Text(finding.story)
                .find("Thread 'other' (tid 101), which signalled it before, waits "
                      "for mutex 1"),
            std::string::npos);
  ASSERT_EQ(finding.threads.size(), 2u);
  EXPECT_TRUE(Watch().empty()) << "told twice";
}

TEST_F(NestedMonitorTest, ASignallerThatIsStuckBehindOneThatIsStuckIsOne) {
  const Scene::Ref middle = scene.Mutex();
  scene.Take(other, middle);
  const uint32_t signaller = scene.Thread("signaller");
  scene.Block(signaller, middle);
  scene.Signalled(scene.SerialOf(signaller), condition, /*heard=*/false);
  EXPECT_EQ(Watch().size(), 1u);
}

TEST_F(NestedMonitorTest, NothingIsSaidIfNobodyWasSeenToSignal) { EXPECT_TRUE(Watch().empty()); }

TEST_F(NestedMonitorTest, NothingIsSaidIfAnotherSignallerCanRun) {
  scene.Signalled(scene.SerialOf(other), condition, /*heard=*/true);
  scene.Signalled(scene.SerialOf(ticker), condition, /*heard=*/true);
  EXPECT_TRUE(Watch().empty());
}

TEST_F(NestedMonitorTest, NothingIsSaidIfMoreThreadsSignalledThanAreKnown) {
  scene.Signalled(scene.SerialOf(other), condition, /*heard=*/true);
  scene.Signalled(scene.SerialOf(waiter), condition, /*heard=*/true);
  scene.Signalled(1000, condition, /*heard=*/true);
  EXPECT_TRUE(Watch().empty());
}

TEST_F(NestedMonitorTest, NothingIsSaidIfTheSignallerIsStuckElsewhere) {
  const Scene::Ref busy = scene.Mutex();
  scene.Take(ticker, busy);
  const uint32_t signaller = scene.Thread("signaller");
  scene.Block(signaller, busy);
  scene.Signalled(scene.SerialOf(signaller), condition, /*heard=*/true);
  EXPECT_TRUE(Watch().empty());
}

TEST_F(NestedMonitorTest, NothingIsSaidIfTheKernelSeesTheWaiterElsewhere) {
  scene.Signalled(scene.SerialOf(other), condition, /*heard=*/true);
  scene.kernel.Run(scene.TidOf(waiter));
  EXPECT_TRUE(Watch().empty());
}

TEST_F(NestedMonitorTest, NothingIsSaidIfTheSignallersWaitHasATimeLimit) {
  scene.Signalled(scene.SerialOf(other), condition, /*heard=*/true);
  scene.kernel.SleepOn(scene.TidOf(other), scene.AddressOf(outer), /*timed=*/true);
  EXPECT_TRUE(Watch().empty());
}

TEST_F(NestedMonitorTest, NothingIsSaidIfTheWaiterHasRunInBetween) {
  scene.Signalled(scene.SerialOf(other), condition, /*heard=*/true);
  for (int i = 0; i < 30; ++i) {
    ++*scene.kernel.threads[scene.TidOf(waiter)].context_switches;
    EXPECT_TRUE(scene.Step(now_ns += kTick).empty());
  }
}

TEST_F(NestedMonitorTest, IsADeadlockIfNobodyElseCanRun) {
  scene.Signalled(scene.SerialOf(other), condition, /*heard=*/true);
  scene.Block(ticker, outer);
  const std::vector<Finding> findings = Watch();
  ASSERT_EQ(findings.size(), 1u);
  EXPECT_EQ(findings[0].kind, FindingKind::kDeadlock);
}

TEST(NestedMonitorWithALimitTest, NothingIsSaid) {
  Scene scene;
  const uint32_t waiter = scene.Thread("waiter"), other = scene.Thread("other");
  scene.Thread("ticker");
  const Scene::Ref outer = scene.Mutex(), inner = scene.Mutex(), condition = scene.Condition();
  scene.Take(waiter, outer);
  scene.BlockCondition(waiter, condition, inner, /*on_mutex=*/false, /*timed=*/true);
  scene.Block(other, outer);
  scene.Signalled(scene.SerialOf(other), condition, /*heard=*/true);
  for (uint64_t i = 0; i < 15; ++i) {
    EXPECT_TRUE(scene.Step(Scene::kStart + i * kTick).empty());
  }
}

class LostWakeupTest : public ConditionWatchTest {
 protected:
  static constexpr uint32_t kEnded = 1000;  // serial of a thread that is gone

  void SetUp() override {
    scene.BlockCondition(waiter, condition, inner, /*on_mutex=*/false);
    scene.BlockJoin(other, waiter);
    scene.book.lock(inner).acquisitions = 2;  // once to signal, once to wait
  }
};

TEST_F(LostWakeupTest, IsToldOnceWithWhatWasSeen) {
  scene.Signalled(kEnded, condition, /*heard=*/false);
  const std::vector<Finding> findings = Watch();
  ASSERT_EQ(findings.size(), 1u);
  EXPECT_EQ(findings[0].kind, FindingKind::kLostWakeup);
  EXPECT_EQ(findings[0].confidence, Confidence::kPossible);
  EXPECT_EQ(findings[0].headline,
            "LOST WAKE-UP: thread 'waiter' (tid 100) waits for a signal on condition 3, and "
            "nobody is left to signal");
  EXPECT_NE(Text(findings[0].story).find("Condition 3 was signalled 1 time"), std::string::npos);
  EXPECT_TRUE(Watch().empty()) << "told twice";
}

TEST_F(LostWakeupTest, WhoWasJoinedBeforeItHadARecordIsKnownByItsDescriptor) {
  scene.Signalled(kEnded, condition, /*heard=*/false);
  const uint64_t descriptor = scene.book.thread(waiter).pthread_self;
  scene.book.EndWait(other);
  scene.book.BeginWait(other,
                       ledger::Pack(ledger::kNoIndex, 0, static_cast<uint8_t>(ledger::Mode::kJoin)),
                       /*object=*/0, /*site=*/0x4020, descriptor);
  EXPECT_EQ(Watch().size(), 1u);
}

TEST_F(LostWakeupTest, NothingIsSaidIfASignalWasEverHeard) {
  scene.Signalled(kEnded, condition, /*heard=*/false);
  scene.Signalled(kEnded, condition, /*heard=*/true);
  EXPECT_TRUE(Watch().empty());
}

TEST_F(LostWakeupTest, NothingIsSaidIfSomebodyLookedAtWhatWasSignalled) {
  scene.Signalled(kEnded, condition, /*heard=*/false);
  scene.book.lock(inner).acquisitions = 3;  // and once to take the item
  EXPECT_TRUE(Watch().empty());
}

TEST_F(LostWakeupTest, NothingIsSaidWhileItsSignallerLives) {
  scene.Signalled(scene.SerialOf(ticker), condition, /*heard=*/false);
  EXPECT_TRUE(Watch().empty());
}

TEST_F(LostWakeupTest, NothingIsSaidIfItWasNeverSignalled) { EXPECT_TRUE(Watch().empty()); }

TEST_F(LostWakeupTest, AWaitThatNobodyIsStuckBehindIsNone) {
  scene.Signalled(kEnded, condition, /*heard=*/false);
  scene.book.EndWait(other);
  scene.kernel.Run(scene.TidOf(other));
  EXPECT_TRUE(Watch().empty());
}

TEST_F(LostWakeupTest, IsToldAsEvidenceOfADeadlockIfEverybodySleeps) {
  scene.Signalled(kEnded, condition, /*heard=*/false);
  scene.BlockJoin(ticker, other);
  const std::vector<Finding> findings = Watch();
  ASSERT_EQ(findings.size(), 1u);
  EXPECT_EQ(findings[0].kind, FindingKind::kDeadlock);
  EXPECT_NE(Text(findings[0].evidence).find("each time while nobody waited"), std::string::npos)
      << Text(findings[0].evidence);
}

}  // namespace
}  // namespace lockwarden
