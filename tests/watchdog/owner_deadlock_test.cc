// Verdicts about locks that have owners: what is a deadlock, and beside each what only
// looks like one.
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

TEST(OwnerDeadlockTest, ThreeThreadsInARingAreOneFinding) {
  Scene scene;
  std::vector<uint32_t> threads;
  std::vector<Scene::Ref> locks;
  for (int i = 0; i < 3; ++i) {
    threads.push_back(scene.Thread("phil"));
    locks.push_back(scene.Mutex());
    scene.Take(threads[i], locks[i]);
  }
  for (int i = 0; i < 3; ++i) scene.Block(threads[i], locks[(i + 1) % 3]);
  const auto findings = Deadlocks(scene.Judge());
  ASSERT_EQ(findings.size(), 1u);
  EXPECT_EQ(findings[0].headline, "DEADLOCK: 3 threads, 3 locks");
}

TEST(OwnerDeadlockTest, TwoDeadlocksAtOnceAreTwoFindings) {
  Scene scene;
  for (int i = 0; i < 2; ++i) {
    const uint32_t x = scene.Thread("x"), y = scene.Thread("y");
    const auto a = scene.Mutex(), b = scene.Mutex();
    scene.Take(x, a);
    scene.Take(y, b);
    scene.Block(x, b);
    scene.Block(y, a);
  }
  EXPECT_EQ(Deadlocks(scene.Judge()).size(), 2u);
  EXPECT_EQ(scene.judge().state().deadlock_cycles, 2u);
}

TEST(OwnerDeadlockTest, RelockingAPlainMutexIsASelfDeadlock) {
  Scene scene;
  scene.Thread("main");
  const uint32_t t = scene.Thread("worker");
  const auto a = scene.Mutex();
  scene.Take(t, a, 0x4011);
  scene.Block(t, a);
  scene.book.AddMisuse(ledger::MisuseKind::kRelock, scene.SerialOf(t), a);
  const auto findings = scene.Judge();
  ASSERT_EQ(findings.size(), 1u) << "the relock is not told a second time as misuse";
  EXPECT_EQ(findings[0].kind, FindingKind::kSelfDeadlock);
  EXPECT_EQ(findings[0].confidence, Confidence::kProven);
  EXPECT_EQ(findings[0].headline,
            "SELF-DEADLOCK: thread 'worker' (tid 101) waits for mutex 1, which it holds itself");
}

TEST(OwnerDeadlockTest, ARecursiveMutexHeldByItsWaiterIsNone) {
  Scene scene;
  const uint32_t t = scene.Thread("worker");
  const auto a = scene.Mutex(ledger::kInitSeen | ledger::kRecursive);
  scene.Take(t, a);
  scene.Block(t, a);
  EXPECT_TRUE(scene.Judge().empty());
}

TEST(OwnerDeadlockTest, ALoneWaiterBehindARunningHolderIsNone) {
  Scene scene;
  const uint32_t x = scene.Thread("x"), y = scene.Thread("y");
  const auto a = scene.Mutex();
  scene.Take(x, a);
  scene.Block(y, a);
  EXPECT_TRUE(scene.Judge().empty());
  EXPECT_EQ(scene.kernel.thread_reads, 0) << "not even a look into /proc";
}

TEST(OwnerDeadlockTest, WhereNobodyWaitsNothingIsAsked) {
  Scene scene;
  const uint32_t x = scene.Thread("x");
  scene.Take(x, scene.Mutex());
  EXPECT_TRUE(scene.Judge().empty());
  EXPECT_EQ(scene.kernel.thread_reads + scene.kernel.tid_reads, 0);
}

TEST(OwnerDeadlockTest, JoiningAThreadThatWaitsForWhatTheJoinerHoldsIsProven) {
  Scene scene;
  const uint32_t main = scene.Thread("main"), worker = scene.Thread("worker");
  scene.Thread("runs");
  const auto a = scene.Mutex();
  scene.Take(main, a);
  scene.Block(worker, a);
  scene.BlockJoin(main, worker);
  const auto findings = Deadlocks(scene.Judge());
  ASSERT_EQ(findings.size(), 1u);
  EXPECT_EQ(findings[0].confidence, Confidence::kProven);
  EXPECT_EQ(findings[0].headline, "DEADLOCK: 2 threads, 1 lock");
  EXPECT_EQ(findings[0].threads[0].waits_mode, "join");
  EXPECT_EQ(findings[0].threads[0].joins_tid, 101u);
}

TEST(OwnerDeadlockTest, AThreadThatWasJoinedBeforeItHadARecordIsKnownByItsDescriptor) {
  for (const bool twins : {false, true}) {
    Scene scene;
    const uint32_t main = scene.Thread("main"), worker = scene.Thread("worker");
    const uint32_t other = scene.Thread("runs");
    const auto a = scene.Mutex();
    scene.Take(main, a);
    scene.Block(worker, a);
    scene.BlockJoin(main, worker);
    scene.book.thread(main).frame0.wait.wait =
        ledger::Pack(ledger::kNoIndex, 0, static_cast<uint8_t>(ledger::Mode::kJoin));
    if (twins) {
      const uint64_t descriptor = scene.book.thread(worker).pthread_self;
      scene.book.thread(other).pthread_self = descriptor;
    }
    EXPECT_EQ(scene.Judge().size(), twins ? 0u : 1u);
  }
}

TEST(OwnerDeadlockTest, JoiningAThreadThatRunsIsNone) {
  Scene scene;
  const uint32_t main = scene.Thread("main"), worker = scene.Thread("worker");
  scene.Take(main, scene.Mutex());
  scene.BlockJoin(main, worker);
  EXPECT_TRUE(scene.Judge().empty());
}

TEST(OwnerDeadlockTest, AReusedThreadSlotIsNotTheJoinedThread) {
  Scene scene;
  const uint32_t main = scene.Thread("main"), worker = scene.Thread("worker");
  scene.Thread("runs");
  const auto a = scene.Mutex();
  scene.Take(main, a);
  scene.Block(worker, a);
  scene.BlockJoin(main, worker);
  scene.book.thread(worker).serial = 77;  // a descriptor is reused sooner than a serial
  EXPECT_TRUE(scene.Judge().empty());
}

// One thread waits on a condition holding an outer lock; its signaller needs that lock.
// Then it was woken, and finds its mutex taken by somebody who waits for the outer lock.
TEST(OwnerDeadlockTest, AConditionsWaiterThatSitsOnItsMutexWaitsForTheMutex) {
  for (const bool timed : {false, true}) {
    Scene scene;
    const uint32_t waiter = scene.Thread("waiter"), signaller = scene.Thread("signaller");
    scene.Thread("runs");
    const auto outer = scene.Mutex(), mutex = scene.Mutex(), condition = scene.Condition();
    scene.Take(waiter, outer);
    scene.Take(signaller, mutex);
    scene.Block(signaller, outer);
    scene.BlockCondition(waiter, condition, mutex, /*on_mutex=*/true, timed);
    const auto findings = Deadlocks(scene.Judge());
    ASSERT_EQ(findings.size(), 1u) << timed;
    EXPECT_EQ(findings[0].confidence, Confidence::kProven);
    EXPECT_EQ(findings[0].headline, "DEADLOCK: 2 threads, 2 locks");
  }
}

TEST(OwnerDeadlockTest, AConditionsWaiterThatSitsOnTheConditionCanBeSignalled) {
  Scene scene;
  const uint32_t waiter = scene.Thread("waiter"), signaller = scene.Thread("signaller");
  scene.Thread("runs");
  const auto outer = scene.Mutex(), mutex = scene.Mutex(), condition = scene.Condition();
  scene.Take(waiter, outer);
  scene.Take(signaller, mutex);
  scene.Block(signaller, outer);
  scene.BlockCondition(waiter, condition, mutex, /*on_mutex=*/false);
  EXPECT_TRUE(scene.Judge().empty());
}

TEST(OwnerDeadlockTest, AHolderThatHasEndedLeavesItsWaitersStuck) {
  Scene scene;
  const uint32_t dead = scene.Thread("dead"), waiter = scene.Thread("waiter");
  scene.Thread("runs");
  const auto a = scene.Mutex();
  scene.Take(dead, a);
  scene.book.thread(dead).state = static_cast<uint32_t>(ledger::ThreadState::kExiting);
  scene.kernel.threads.erase(100);
  scene.Block(waiter, a);
  const auto findings = Deadlocks(scene.Judge());
  ASSERT_EQ(findings.size(), 1u);
  EXPECT_EQ(findings[0].headline,
            "DEADLOCK: 1 thread waits for mutex 1, whose holder (tid 100) has ended");
  EXPECT_EQ(findings[0].confidence, Confidence::kStrong);
}

TEST(OwnerDeadlockTest, AHolderThatRunsItsDestructorsMayStillRelease) {
  Scene scene;
  const uint32_t leaving = scene.Thread("leaving"), waiter = scene.Thread("waiter");
  const auto a = scene.Mutex();
  scene.Take(leaving, a);
  scene.book.thread(leaving).state = static_cast<uint32_t>(ledger::ThreadState::kExiting);
  scene.Block(waiter, a);
  EXPECT_TRUE(scene.Judge().empty());
}

TEST(OwnerDeadlockTest, AnOwnerNobodyRecordedMayRun) {
  Scene scene;
  const uint32_t waiter = scene.Thread("waiter");
  scene.kernel.AddThread(777);
  const auto a = scene.Mutex();
  scene.kernel.SetWord(scene.AddressOf(a), 2);
  scene.kernel.SetWord(scene.AddressOf(a) + 8, 777);
  scene.Block(waiter, a);
  EXPECT_TRUE(scene.Judge().empty());
  scene.kernel.threads.erase(777);
  EXPECT_EQ(scene.Step(Scene::kStart + 3 * Scene::kConfirm).size(), 1u) << "until it is gone";
}

TEST(OwnerDeadlockTest, AnOwnerBornAfterTheThreadsWereListedMayRun) {
  Scene scene;
  const uint32_t waiter = scene.Thread("waiter");
  const auto a = scene.Mutex();
  scene.kernel.SetWord(scene.AddressOf(a), 2);
  scene.kernel.SetWord(scene.AddressOf(a) + 8, 777);
  scene.Block(waiter, a);
  scene.kernel.after_listing = [&] { scene.kernel.AddThread(777); };
  EXPECT_TRUE(scene.Judge().empty());
}

TEST(OwnerDeadlockTest, AnOwnerThatLetGoBeforeItEndedIsNone) {
  Scene scene;
  const uint32_t waiter = scene.Thread("waiter");
  const auto a = scene.Mutex();
  scene.kernel.SetWord(scene.AddressOf(a), 2);
  scene.kernel.SetWord(scene.AddressOf(a) + 8, 777);
  scene.Block(waiter, a);
  // Another waiter was woken, and has the mutex now.
  scene.kernel.AddThread(778);
  scene.kernel.after_listing = [&] { scene.kernel.SetWord(scene.AddressOf(a) + 8, 778); };
  EXPECT_TRUE(scene.Judge().empty());
}

TEST(OwnerDeadlockTest, ARobustMutexIsHandedOnByTheKernel) {
  Scene scene;
  const uint32_t waiter = scene.Thread("waiter");
  const auto a = scene.Mutex();
  scene.kernel.SetWord(scene.AddressOf(a), 777);
  scene.kernel.SetWord(scene.AddressOf(a) + 16, 16);  // PTHREAD_MUTEX_ROBUST_NORMAL_NP
  scene.Block(waiter, a);
  EXPECT_TRUE(scene.Judge().empty());
}

TEST(OwnerDeadlockTest, AWaitInASignalHandlerForWhatTheThreadHoldsIsASelfDeadlock) {
  Scene scene;
  scene.Thread("main");
  const uint32_t t = scene.Thread("worker");
  const auto a = scene.Mutex();
  scene.Take(t, a);
  scene.book.BeginWait(t, ledger::WithMode(a, 1), scene.AddressOf(a), 0x4020, 0, /*frame=*/1);
  scene.kernel.SleepOn(scene.TidOf(t), scene.AddressOf(a));
  EXPECT_EQ(Only(scene.Judge(), FindingKind::kSelfDeadlock).size(), 1u);
}

TEST(OwnerDeadlockTest, AParkedPriorityInheritingWaiterIsFoundOnItsStack) {
  Scene scene;
  const uint32_t x = scene.Thread("x"), y = scene.Thread("y");
  const auto a = scene.Mutex(ledger::kInitSeen | ledger::kPriorityInherit);
  const auto b = scene.Mutex(ledger::kInitSeen | ledger::kPriorityInherit);
  const Scene::Ref locks[] = {a, b};
  const uint32_t owners[] = {x, y};
  for (int i = 0; i < 2; ++i) {
    scene.Take(owners[i], locks[i]);
    scene.kernel.SetWord(scene.AddressOf(locks[i]), scene.TidOf(owners[i]) | 0x80000000u);
    scene.kernel.SetWord(scene.AddressOf(locks[i]) + 16, 32);
  }
  scene.Block(x, b);
  scene.Block(y, a);
  // The kernel refused y with EDEADLK; glibc parks it on a word of its own frame.
  scene.kernel.SleepOn(101, scene.kernel.threads[101].stack_pointer + 12);
  const auto findings = Deadlocks(scene.Judge());
  ASSERT_EQ(findings.size(), 1u);
  EXPECT_EQ(findings[0].confidence, Confidence::kProven);
}

}  // namespace
}  // namespace lockwarden
