// Verdicts about locks that have owners: rings, relocks, joins, conditions' mutexes, owners
// that have ended; what is a deadlock, and beside each what only looks like one.
#include <gtest/gtest.h>

#include "tests/watchdog/scene.h"

namespace lockwarden {
namespace {

std::vector<Finding> Deadlocks(const std::vector<Finding>& findings) {
  return Only(findings, FindingKind::kDeadlock);
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

// Two mutexes that share a record, since the lock table was full when they were first taken.
struct BeyondTheTable {
  BeyondTheTable() {
    scene.book.lock(folded).foreign_releases = 1;
    for (int i = 0; i < 2; ++i) {
      scene.kernel.Clear(Address(i), 40);
      scene.kernel.SetWord(Address(i), 2);
      scene.kernel.SetWord(Address(i) + 8, scene.TidOf(threads[i]));
      const auto held = static_cast<uint8_t>(ledger::Mode::kExclusive);
      scene.book.Hold(threads[i], ledger::WithMode(folded, held), 0x4010);
      scene.book.BeginWait(threads[i], ledger::WithMode(folded, held), Address(1 - i), 0x4020);
      scene.kernel.SleepOn(scene.TidOf(threads[i]), Address(1 - i));
    }
  }
  static uint64_t Address(int i) { return 0x90000 + static_cast<uint64_t>(i) * 0x100; }

  Scene scene;
  const uint32_t threads[2] = {scene.Thread("one"), scene.Thread("two")};
  const uint32_t other = scene.Thread("other");
  const Scene::Ref folded = scene.Mutex(ledger::kFolded | ledger::kErrorCheck);
};

TEST(OwnerDeadlockTest, LocksThatTheTableHadNoRoomForAreToldByTheirWords) {
  BeyondTheTable locks;
  const auto findings = locks.scene.Judge();
  ASSERT_EQ(findings.size(), 1u);
  EXPECT_EQ(findings[0].kind, FindingKind::kDeadlock);
  EXPECT_EQ(findings[0].confidence, Confidence::kStrong);
  EXPECT_EQ(findings[0].threads.size(), 2u);
}

TEST(OwnerDeadlockTest, OfThemAPlainMutexMayBeHandedOver) {
  BeyondTheTable locks;
  locks.scene.book.lock(locks.folded).kind_and_flags &= ~uint32_t{ledger::kErrorCheck};
  EXPECT_TRUE(locks.scene.Judge().empty()) << "the thread that runs may be about to release one";
}

TEST(OwnerDeadlockTest, LocksThatTheTableHadNoRoomForAreNotTakenForOneLock) {
  BeyondTheTable locks;  // "two" waits for a mutex that the running thread has
  locks.scene.kernel.SetWord(BeyondTheTable::Address(0) + 8, locks.scene.TidOf(locks.other));
  EXPECT_TRUE(locks.scene.Judge().empty());
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

// The result of a thread that needs what the waiter holds.
struct PromiseCase {
  const char* what;
  bool said, timed, other_life, ended;  // whose promise it is; the wait; the promiser
  bool found;
};

TEST(OwnerDeadlockTest, APromiseThatWasSaidToBeAThreadsIsWaitedForAsThatThread) {
  for (const PromiseCase& c : {PromiseCase{"said", true, false, false, false, true},
                               PromiseCase{"not said", false, false, false, false, false},
                               PromiseCase{"may give up", true, true, false, false, false},
                               PromiseCase{"another thread now", true, false, true, false, false},
                               PromiseCase{"it has ended", true, false, false, true, false}}) {
    SCOPED_TRACE(c.what);
    Scene scene;
    const uint32_t main = scene.Thread("main"), worker = scene.Thread("worker");
    scene.Thread("runs");
    const auto a = scene.Mutex();
    scene.Take(main, a);
    scene.Block(worker, a);
    const auto named =
        ledger::Pack(worker, scene.SerialOf(worker), static_cast<uint8_t>(ledger::Mode::kJoin));
    scene.BlockFuture(main, scene.Future(), c.said ? named : 0, c.timed);
    if (c.other_life) scene.book.thread(worker).serial = 77;
    if (c.ended) {
      scene.book.thread(worker).state = static_cast<uint32_t>(ledger::ThreadState::kExiting);
      scene.book.thread(worker).frame0.wait.wait = 0;
      scene.kernel.threads.erase(scene.TidOf(worker));
    }
    const auto findings = Deadlocks(scene.Judge());
    ASSERT_EQ(findings.size(), c.found ? 1u : 0u);
    if (!c.found) continue;
    EXPECT_EQ(findings[0].confidence, Confidence::kStrong);
    EXPECT_EQ(findings[0].headline, "DEADLOCK: 2 threads, 2 locks");
    EXPECT_NE(findings[0].story[0].find("promised by thread 'worker'"), std::string::npos)
        << findings[0].story[0];
  }
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
