// Two threads that take two locks crosswise: when that is a deadlock, how sure it is by who
// says so, and each way in which it only looks like one.
#include <gtest/gtest.h>

#include "tests/watchdog/scene.h"

namespace lockwarden {
namespace {

std::vector<Finding> Deadlocks(const std::vector<Finding>& findings) {
  return Only(findings, FindingKind::kDeadlock);
}

// Two threads, two mutexes, opposite order: the start of most scenes here.
class AbBa : public testing::Test {
 protected:
  void SetUp() override {
    one = scene.Thread("io-1");
    two = scene.Thread("io-2");
    other = scene.Thread("main");
    a = scene.Mutex();
    b = scene.Mutex();
    scene.Take(one, a, 0x4011);
    scene.Take(two, b, 0x4012);
    scene.Block(one, b);
    scene.Block(two, a);
  }
  void ExpectNothing(const std::function<void()>& between = nullptr) {
    const auto findings = scene.Judge(between);
    EXPECT_TRUE(Deadlocks(findings).empty()) << findings[0].headline;
    EXPECT_EQ(scene.judge().state().deadlocked_threads, 0u);
  }
  Scene scene;
  uint32_t one = 0, two = 0, other = 0;
  Scene::Ref a = 0, b = 0;
};

TEST_F(AbBa, IsProvenWhenAllThreeWitnessesAgree) {
  const auto findings = Deadlocks(scene.Judge());
  ASSERT_EQ(findings.size(), 1u);
  const Finding& finding = findings[0];
  EXPECT_EQ(finding.confidence, Confidence::kProven);
  EXPECT_EQ(finding.headline, "DEADLOCK: 2 threads, 2 locks");
  EXPECT_EQ(finding.pid, 4242u);
  EXPECT_EQ(finding.program, "/usr/bin/program");
  ASSERT_EQ(finding.story.size(), 2u);
  EXPECT_EQ(finding.story[0],
            "Thread 'io-1' (tid 100) holds mutex 1 (taken at f4011, file.cc:17) and waits for "
            "mutex 2 (wanted at f4020, file.cc:32), which thread 'io-2' (tid 101) holds (taken "
            "at f4012, file.cc:18).");
  EXPECT_EQ(finding.cycle, (std::vector<size_t>{0, 1}));
  EXPECT_EQ(finding.threads[0].holds[0].mode, "exclusive");
  EXPECT_NEAR(finding.threads[0].blocked_seconds, 1.53, 0.001);
  EXPECT_FALSE(finding.evidence.empty());
  EXPECT_FALSE(finding.advice.empty());
  EXPECT_EQ(scene.judge().state().deadlocked_threads, 2u);
  EXPECT_EQ(scene.judge().state().deadlock_cycles, 1u);
}

TEST_F(AbBa, AsksForTheSecondLookAndTellsItOnce) {
  scene.Step(Scene::kStart);
  EXPECT_EQ(scene.judge().next_look_ns(), Scene::kStart + Scene::kConfirm);
  EXPECT_TRUE(scene.Step(Scene::kStart + Scene::kConfirm - 1).empty()) << "too early";
  EXPECT_EQ(scene.Step(Scene::kStart + Scene::kConfirm).size(), 1u);
  EXPECT_TRUE(scene.Step(Scene::kStart + 2 * Scene::kConfirm).empty());
  EXPECT_EQ(scene.judge().state().deadlock_cycles, 1u);
}

TEST_F(AbBa, IsOverWhenAThreadIsFreedFromOutside) {
  scene.Judge();
  scene.book.EndWait(one);
  scene.kernel.Run(100);
  scene.Step(Scene::kStart + 2 * Scene::kConfirm);
  EXPECT_EQ(scene.judge().state().deadlock_cycles, 0u);
  EXPECT_EQ(scene.judge().state().deadlocked_threads, 0u);
}

TEST_F(AbBa, WithALinkedLockIsProven) {
  Scene mixed;
  const uint32_t x = mixed.Thread("x"), y = mixed.Thread("y");
  const auto lock = mixed.OwnLock(), mutex = mixed.Mutex();
  mixed.Take(x, lock);
  mixed.Take(y, mutex);
  mixed.Block(x, mutex);
  mixed.Block(y, lock);
  const auto findings = Deadlocks(mixed.Judge());
  ASSERT_EQ(findings.size(), 1u);
  EXPECT_EQ(findings[0].confidence, Confidence::kProven);
}

TEST_F(AbBa, IsSilentIfAWaitHasATimeLimit) {
  auto& wait = scene.book.thread(one).frame0.wait.wait;
  wait = wait | ledger::kTimed;
  ExpectNothing();
}

TEST_F(AbBa, IsSilentIfTheKernelSawATimeLimit) {
  scene.kernel.threads[100].syscall_args[3] = 0x7ffd0000;
  ExpectNothing();
}

TEST_F(AbBa, IsSilentIfAThreadMovedBetweenTheLooks) {
  ExpectNothing([&] { ++scene.book.thread(one).acquisitions; });
}

TEST_F(AbBa, IsSilentIfAWaitEndedAndAnotherBeganBetweenTheLooks) {
  ExpectNothing([&] { ++scene.book.thread(one).waits; });
}

TEST_F(AbBa, IsSilentIfAHoldEndedBetweenTheLooks) {
  ExpectNothing([&] { scene.book.thread(two).frame0.held_count = 0; });
}

TEST_F(AbBa, IsSilentIfAThreadMovesWhileTheWitnessesAreAsked) {
  // The last reading of the records sees it: bend the ledger from inside the kernel view.
  struct Bender : FakeKernelView {
    KernelThread Thread(uint32_t tid) override {
      if (armed) ++record->acquisitions;
      return FakeKernelView::Thread(tid);
    }
    bool armed = false;
    ledger::ThreadRecord* record = nullptr;
  } bender;
  bender.threads = scene.kernel.threads;
  bender.memory = scene.kernel.memory;
  bender.record = &scene.book.thread(one);
  const auto reader = scene.book.Reader();
  ProcessJudge judge(reader.get(), &bender, &scene.resolver, 1, {});
  judge.Step(Scene::kStart);
  bender.armed = true;
  EXPECT_TRUE(judge.Step(Scene::kStart + Scene::kConfirm).empty());
  bender.armed = false;
  judge.Step(Scene::kStart + 2 * Scene::kConfirm);
  EXPECT_EQ(judge.Step(Scene::kStart + 3 * Scene::kConfirm).size(), 1u) << "and is found later";
}

TEST_F(AbBa, IsSilentIfTheKernelShowsAThreadRunning) {
  scene.kernel.Run(100);  // a wait that longjmp left behind
  ExpectNothing();
}

TEST_F(AbBa, IsSilentIfAThreadSleepsOnAnotherWord) {
  scene.kernel.SleepOn(100, 0xdead00);
  ExpectNothing();
}

TEST_F(AbBa, IsSilentIfAThreadSleepsInAnotherSystemCall) {
  scene.kernel.threads[100].syscall = SYS_read;
  ExpectNothing();
}

TEST_F(AbBa, IsSilentWhileADebuggerHoldsAThreadAndIsFoundAfterwards) {
  scene.kernel.threads[100].state = 't';
  ExpectNothing();
  scene.kernel.threads[100].state = 'S';
  EXPECT_EQ(scene.Step(Scene::kStart + 3 * Scene::kConfirm).size(), 1u);
}

TEST_F(AbBa, IsSilentIfALockWordNamesAnotherOwner) {
  scene.kernel.SetWord(scene.AddressOf(a) + 8, 102);
  ExpectNothing();
}

TEST_F(AbBa, IsSilentIfALockWordIsFree) {
  scene.kernel.SetWord(scene.AddressOf(a), 0);
  ExpectNothing();
}

TEST_F(AbBa, IsSilentIfTheLockHasBeenDestroyedMeanwhile) {
  ExpectNothing([&] { ++scene.book.lock(a).generation; });
}

TEST_F(AbBa, IsSilentIfAThreadIsExempt) {
  scene.book.thread(one).exempt = 1;
  ExpectNothing();
}

TEST_F(AbBa, IsSilentIfTheMutexWasSeenReleasedByAnotherThread) {
  scene.book.AddMisuse(ledger::MisuseKind::kUnlockNotOwner, 3, a);
  ExpectNothing();
}

TEST_F(AbBa, IsSilentIfTheMutexWasEverReleasedByAThreadThatDidNotOwnIt) {
  scene.book.lock(a).foreign_releases = 1;
  ExpectNothing();
}

TEST_F(AbBa, IsSilentIfAHoldWasInheritedOverFork) {
  auto& entry = scene.book.thread(one).held[0];
  entry.lock = entry.lock | ledger::kInherited;
  ExpectNothing();
}

TEST_F(AbBa, IsStrongIfTheSystemCallCannotBeRead) {
  for (uint32_t tid : {100u, 101u}) scene.kernel.threads[tid].syscall.reset();
  const auto findings = Deadlocks(scene.Judge());
  ASSERT_EQ(findings.size(), 1u);
  EXPECT_EQ(findings[0].confidence, Confidence::kStrong);
}

TEST_F(AbBa, IsSilentIfTheSystemCallCannotBeReadAndAThreadHasRun) {
  for (uint32_t tid : {100u, 101u}) scene.kernel.threads[tid].syscall.reset();
  ExpectNothing([&] { ++*scene.kernel.threads[100].context_switches; });
}

TEST_F(AbBa, IsStrongIfLockWordsCannotBeRead) {
  scene.kernel.memory_readable = false;
  const auto findings = Deadlocks(scene.Judge());
  ASSERT_EQ(findings.size(), 1u);
  EXPECT_EQ(findings[0].confidence, Confidence::kStrong);
}

TEST_F(AbBa, IsLikelyIfNeitherCanBeRead) {
  scene.kernel.memory_readable = false;
  for (uint32_t tid : {100u, 101u}) scene.kernel.threads[tid].syscall.reset();
  const auto findings = Deadlocks(scene.Judge());
  ASSERT_EQ(findings.size(), 1u);
  EXPECT_EQ(findings[0].confidence, Confidence::kLikely);
}

TEST_F(AbBa, IsStrongIfAHoldIsKnownFromTheLockWordOnly) {
  scene.book.thread(two).frame0.held_count = 0;  // b was taken before recording began
  const auto findings = Deadlocks(scene.Judge());
  ASSERT_EQ(findings.size(), 1u);
  EXPECT_EQ(findings[0].confidence, Confidence::kStrong);
  ASSERT_EQ(findings[0].threads[1].holds.size(), 1u);
}

TEST_F(AbBa, NamesThoseStuckBehindAndLeavesOutWhoRuns) {
  const uint32_t late = scene.Thread("late");
  scene.Block(late, a);
  scene.BlockJoin(other, late);
  const auto findings = Deadlocks(scene.Judge());
  ASSERT_EQ(findings.size(), 1u);
  ASSERT_EQ(findings[0].threads.size(), 4u);
  EXPECT_EQ(findings[0].threads[2].role, FindingThread::Role::kBehind);
  EXPECT_EQ(findings[0].story.back(), "2 more threads are stuck behind.");
  EXPECT_EQ(scene.judge().state().deadlocked_threads, 4u);
}

TEST_F(AbBa, CoversItsOwnPrediction) {
  ledger::OrderWitness witness;
  witness.from_mode = witness.to_mode = static_cast<uint8_t>(ledger::Mode::kExclusive);
  witness.thread_serial = scene.SerialOf(one);
  witness.from_site = 0x4011;
  scene.book.AddEdge(a, b, {witness});
  witness.thread_serial = scene.SerialOf(two);
  witness.from_site = 0x4012;
  scene.book.AddEdge(b, a, {witness});
  auto findings = scene.Judge();
  for (Finding& finding : scene.judge().Finish(Scene::kStart + 2 * Scene::kConfirm)) {
    findings.push_back(finding);
  }
  ASSERT_EQ(findings.size(), 1u);
  EXPECT_EQ(findings[0].kind, FindingKind::kDeadlock);
}

}  // namespace
}  // namespace lockwarden
