// Verdicts about what has no owner: semaphores, conditions, barriers. "Everybody is
// asleep" is the strong argument; a semaphore's holder is only inferred.
#include <gtest/gtest.h>

#include <csignal>

#include "tests/watchdog/scene.h"

namespace lockwarden {
namespace {

// Two threads that take two semaphores in opposite order, and main that joins one.
class SemaphoreAbBa : public testing::Test {
 protected:
  void SetUp() override {
    main = scene.Thread("main");
    one = scene.Thread("t1");
    two = scene.Thread("t2");
    a = scene.Semaphore();
    b = scene.Semaphore();
    scene.TakeUnit(one, a);
    scene.TakeUnit(two, b);
    scene.BlockUnit(one, b);
    scene.BlockUnit(two, a);
    scene.BlockJoin(main, one);
  }
  void LetMainRun() {
    scene.book.EndWait(main);
    scene.kernel.Run(100);
  }
  void MakeLockLike() {
    for (Scene::Ref s : {a, b}) scene.book.lock(s).own_releases = 3;
  }
  std::vector<Finding> Judge(const std::function<void()>& between = nullptr) {
    return scene.Judge(between);
  }
  // As long as it takes for a stall to be told.
  std::vector<Finding> JudgeForLong() {
    std::vector<Finding> findings = Judge();
    for (Finding& finding : scene.Step(Scene::kStart + 2'000'000'000)) {
      findings.push_back(std::move(finding));
    }
    return findings;
  }
  Scene scene;
  uint32_t main = 0, one = 0, two = 0;
  Scene::Ref a = 0, b = 0;
};

TEST_F(SemaphoreAbBa, IsStrongWhenEverybodyIsAsleep) {
  const auto findings = Judge();
  ASSERT_EQ(findings.size(), 1u);
  EXPECT_EQ(findings[0].confidence, Confidence::kStrong);
  EXPECT_EQ(findings[0].headline, "DEADLOCK: 2 threads, 2 locks");
  ASSERT_EQ(findings[0].threads.size(), 3u);
  EXPECT_EQ(findings[0].threads[2].name, "main");
  EXPECT_EQ(findings[0].threads[2].role, FindingThread::Role::kBehind);
  EXPECT_TRUE(findings[0].threads[0].holds[0].inferred);
}

TEST_F(SemaphoreAbBa, IsStrongUnderPythonWhichCatchesSigint) {
  scene.kernel.caught_signals = uint64_t{1} << (SIGINT - 1);
  EXPECT_EQ(Judge().size(), 1u);
}

TEST_F(SemaphoreAbBa, IsSilentIfATimerOrAChildsEndMayRunAHandler) {
  MakeLockLike();
  for (int number : {SIGALRM, SIGVTALRM, SIGPROF, SIGIO, SIGCHLD, SIGURG, SIGRTMIN, SIGRTMAX}) {
    for (bool main_runs : {false, true}) {
      SCOPED_TRACE(number);
      if (main_runs) LetMainRun();
      scene.kernel.caught_signals = uint64_t{1} << (number - 1);
      EXPECT_TRUE(JudgeForLong().empty());
    }
  }
}

TEST_F(SemaphoreAbBa, IsSilentIfAnArmedTimerMayRunAHandler) {
  MakeLockLike();
  const uint64_t user_signal = uint64_t{1} << (SIGUSR1 - 1);
  for (const std::optional<uint64_t> timers :
       {std::optional<uint64_t>(user_signal), std::optional<uint64_t>()}) {
    scene.kernel.caught_signals = user_signal;
    scene.kernel.timer_signals = timers;
    EXPECT_TRUE(JudgeForLong().empty());
  }
}

TEST_F(SemaphoreAbBa, IsToldThoughATimerSendsASignalThatNobodyCatches) {
  MakeLockLike();
  scene.kernel.timer_signals = uint64_t{1} << (SIGUSR1 - 1);
  EXPECT_EQ(Judge().size(), 1u);
}

TEST_F(SemaphoreAbBa, IsSilentIfAnotherProcessSharesTheMemory) {
  scene.kernel.memory_shared = true;
  EXPECT_TRUE(Judge().empty());
}

TEST_F(SemaphoreAbBa, IsSilentIfAThreadCanRunAndNothingSaysThatTheyAreLocks) {
  LetMainRun();
  EXPECT_TRUE(Judge().empty());
}

// The one that can run may be about to hand them over for the first time.
TEST_F(SemaphoreAbBa, IsAStallAndNoDeadlockIfAThreadCanRunButTheyWereUsedAsLocks) {
  LetMainRun();
  MakeLockLike();
  EXPECT_TRUE(Judge().empty());
  const auto findings = scene.Step(Scene::kStart + 2'000'000'000);
  ASSERT_EQ(findings.size(), 1u);
  EXPECT_EQ(findings[0].kind, FindingKind::kStall);
  EXPECT_EQ(findings[0].confidence, Confidence::kLikely);
  EXPECT_EQ(findings[0].headline, "STALL: 2 threads, 2 locks, stuck unless another thread posts");
  EXPECT_EQ(scene.judge().state().deadlocked_threads, 0u);
  EXPECT_EQ(scene.judge().state().deadlock_cycles, 0u);
  EXPECT_TRUE(scene.Step(Scene::kStart + 3'000'000'000).empty()) << "told once";
}

TEST_F(SemaphoreAbBa, IsADeadlockOnceTheOthersSleepToo) {
  LetMainRun();
  MakeLockLike();
  Judge();
  EXPECT_EQ(scene.Step(Scene::kStart + 2'000'000'000).size(), 1u);
  scene.BlockJoin(main, one);
  scene.Step(Scene::kStart + 3'000'000'000);
  const auto findings = scene.Step(Scene::kStart + 4'000'000'000);
  ASSERT_EQ(findings.size(), 1u);
  EXPECT_EQ(findings[0].kind, FindingKind::kDeadlock);
  EXPECT_EQ(findings[0].confidence, Confidence::kStrong);
}

TEST_F(SemaphoreAbBa, IsSilentIfOneWasEverHandedOver) {
  LetMainRun();
  MakeLockLike();
  scene.book.lock(a).foreign_releases = 1;
  EXPECT_TRUE(JudgeForLong().empty());
}

TEST_F(SemaphoreAbBa, IsSilentIfTwoUnitsOfOneAreOut) {
  LetMainRun();
  MakeLockLike();
  scene.TakeUnit(main, a);
  EXPECT_TRUE(JudgeForLong().empty());
}

TEST_F(SemaphoreAbBa, IsSilentIfAWaitHasATimeLimit) {
  MakeLockLike();
  auto& wait = scene.book.thread(one).frame0.wait.wait;
  wait = wait | ledger::kTimed;
  EXPECT_TRUE(Judge().empty());
}

TEST_F(SemaphoreAbBa, IsSilentIfAUnitIsThere) {
  MakeLockLike();
  scene.kernel.SetWord(scene.AddressOf(a), 1);
  EXPECT_TRUE(Judge().empty());
}

TEST_F(SemaphoreAbBa, IsSilentIfAThreadThatNobodyRecordedCouldPost) {
  scene.kernel.AddThread(555);
  EXPECT_TRUE(Judge().empty());
}

TEST_F(SemaphoreAbBa, IsNotHiddenByAThreadOfOurOwn) {
  scene.book.thread(scene.Thread("lockwarden")).exempt = 1;
  EXPECT_EQ(Judge().size(), 1u);
}

TEST_F(SemaphoreAbBa, IsNotHiddenByAMainThreadThatHasExited) {
  scene.book.EndWait(main);
  scene.book.thread(main).state = static_cast<uint32_t>(ledger::ThreadState::kExiting);
  scene.kernel.threads[100].state = 'Z';
  EXPECT_EQ(Judge().size(), 1u);
}

TEST_F(SemaphoreAbBa, IsSilentIfAnotherProcessCouldPost) {
  for (uint32_t tid : {101u, 102u}) {
    scene.kernel.threads[tid].syscall_args[1] = FUTEX_WAIT_BITSET;  // a shared futex
  }
  EXPECT_TRUE(Judge().empty());
}

TEST_F(SemaphoreAbBa, IsSilentUntilEverybodySleptThroughOneSpan) {
  EXPECT_TRUE(Judge([&] { ++*scene.kernel.threads[101].context_switches; }).empty());
  EXPECT_EQ(scene.Step(Scene::kStart + 3 * Scene::kConfirm).size(), 1u);
}

TEST(SemaphoreDeadlockTest, AThreadThatWaitsForASecondUnitIsNoSelfDeadlock) {
  Scene scene;
  scene.Thread("runs");
  const uint32_t t = scene.Thread("t");
  const auto s = scene.Semaphore();
  scene.book.lock(s).own_releases = 5;
  scene.TakeUnit(t, s);
  scene.BlockUnit(t, s);
  EXPECT_TRUE(scene.Judge().empty());
}

// Producer and consumer over two semaphores: each has taken what the other gave.
TEST(SemaphoreDeadlockTest, AHandOverWithARunningProducerIsNone) {
  Scene scene;
  const uint32_t consumer = scene.Thread("consumer"), relay = scene.Thread("relay");
  scene.Thread("producer");
  const auto full = scene.Semaphore(), empty = scene.Semaphore();
  for (Scene::Ref s : {full, empty}) scene.book.lock(s).foreign_releases = 100;
  scene.TakeUnit(consumer, full);
  scene.TakeUnit(relay, empty);
  scene.BlockUnit(consumer, empty);
  scene.BlockUnit(relay, full);
  EXPECT_TRUE(scene.Judge().empty());
}

// A daemon whose threads all wait for a signal's handler to post.
TEST(SemaphoreDeadlockTest, WaitingForASignalHandlerIsNone) {
  Scene scene;
  const uint32_t main = scene.Thread("main"), worker = scene.Thread("worker");
  const auto stop = scene.Semaphore(), work = scene.Semaphore();
  scene.BlockUnit(main, stop);
  scene.BlockUnit(worker, work);
  scene.kernel.caught_signals = uint64_t{1} << (SIGTERM - 1);
  EXPECT_TRUE(scene.Judge().empty());
  scene.kernel.caught_signals.reset();
  EXPECT_TRUE(scene.Step(Scene::kStart + 3 * Scene::kConfirm).empty()) << "nor when unknown";
}

TEST(SemaphoreDeadlockTest, HandlersOfTheProgramsOwnErrorsWakeNobody) {
  Scene scene;
  const uint32_t main = scene.Thread("main");
  scene.BlockUnit(main, scene.Semaphore());
  scene.kernel.caught_signals = (uint64_t{1} << (SIGSEGV - 1)) | (uint64_t{3} << 31);
  EXPECT_EQ(scene.Judge().size(), 1u);
}

TEST(SemaphoreDeadlockTest, EverybodyWaitingForASignalNobodyCanSendIsADeadlock) {
  Scene scene;
  const uint32_t main = scene.Thread("main"), worker = scene.Thread("worker");
  const auto mutex = scene.Mutex(), condition = scene.Condition();
  scene.BlockCondition(worker, condition, mutex, /*on_mutex=*/false);
  scene.BlockJoin(main, worker);
  const auto findings = scene.Judge();
  ASSERT_EQ(findings.size(), 1u);
  EXPECT_EQ(findings[0].headline, "DEADLOCK: 2 threads asleep, nobody left to wake them");
  EXPECT_EQ(findings[0].confidence, Confidence::kStrong);
  EXPECT_EQ(findings[0].threads[0].name, "worker");
}

TEST(SemaphoreDeadlockTest, ATimedWaiterMaySendTheSignal) {
  Scene scene;
  const uint32_t main = scene.Thread("main"), worker = scene.Thread("worker");
  const auto mutex = scene.Mutex(), condition = scene.Condition();
  scene.BlockCondition(worker, condition, mutex, /*on_mutex=*/false);
  scene.BlockCondition(main, condition, mutex, /*on_mutex=*/false, /*timed=*/true);
  EXPECT_TRUE(scene.Judge().empty());
}

TEST(SemaphoreDeadlockTest, ABarrierThatIsOneShortIsADeadlock) {
  Scene scene;
  const auto barrier = scene.Barrier();
  for (int i = 0; i < 3; ++i) scene.BlockBarrier(scene.Thread("w"), barrier);
  EXPECT_EQ(scene.Judge().size(), 1u);
}

TEST(SemaphoreDeadlockTest, AnIdlePoolBesideARunningThreadCostsNoLookIntoProc) {
  Scene scene;
  scene.Thread("epoll");
  const auto mutex = scene.Mutex(), condition = scene.Condition();
  for (int i = 0; i < 8; ++i) scene.BlockCondition(scene.Thread("w"), condition, mutex, false);
  EXPECT_TRUE(scene.Judge().empty());
  EXPECT_EQ(scene.kernel.thread_reads + scene.kernel.tid_reads, 0);
}

}  // namespace
}  // namespace lockwarden
