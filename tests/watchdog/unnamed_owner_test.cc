// Verdicts about what is held but names no owner in its word (spin locks, once controls,
// guards of static objects), and about futexes, which have none: a hang of each kind beside
// what only looks like one.
#include <gtest/gtest.h>

#include <csignal>

#include "tests/watchdog/scene.h"

namespace lockwarden {
namespace {

struct Kind {
  const char* name;
  Scene::Ref (Scene::*make)();
  void (*block)(Scene&, uint32_t thread, Scene::Ref lock);
};

void Sleep(Scene& scene, uint32_t thread, Scene::Ref lock) { scene.Block(thread, lock); }
void Spin(Scene& scene, uint32_t thread, Scene::Ref lock) { scene.BlockSpin(thread, lock); }

const Kind kKinds[] = {{"spinlock", &Scene::Spin, Spin},
                       {"once", &Scene::Once, Sleep},
                       {"static_guard", &Scene::Guard, Sleep}};

// One of the kind, and a mutex, in opposite order; a third thread runs.
class UnnamedAbBa : public testing::TestWithParam<Kind> {
 protected:
  void SetUp() override {
    one = scene.Thread("one");
    two = scene.Thread("two");
    other = scene.Thread("other");
    lock = (scene.*GetParam().make)();
    mutex = scene.Mutex();
    scene.Take(one, lock);
    scene.Take(two, mutex);
    scene.Block(one, mutex);
    GetParam().block(scene, two, lock);
  }
  std::vector<Finding> Judge(const std::function<void()>& between = nullptr) {
    return scene.Judge([&] {
      scene.Spun(two);  // means nothing for those that sleep
      if (between) between();
    });
  }
  Scene scene;
  uint32_t one = 0, two = 0, other = 0;
  Scene::Ref lock = 0, mutex = 0;
};

TEST_P(UnnamedAbBa, IsStrong) {
  const auto findings = Judge();
  ASSERT_EQ(findings.size(), 1u);
  EXPECT_EQ(findings[0].kind, FindingKind::kDeadlock);
  EXPECT_EQ(findings[0].confidence, Confidence::kStrong);
  EXPECT_EQ(findings[0].locks[1].kind, GetParam().name);
  EXPECT_EQ(findings[0].cycle.size(), 2u);
}

TEST_P(UnnamedAbBa, IsSilentIfTheWordIsFree) {
  scene.kernel.SetWord(scene.AddressOf(lock), GetParam().block == Spin ? 1 : 0);
#ifndef __x86_64__
  scene.kernel.SetWord(scene.AddressOf(lock), 0);
#endif
  EXPECT_TRUE(Judge().empty());
}

TEST_P(UnnamedAbBa, IsSilentIfItWasEverReleasedByAnotherThread) {
  scene.book.lock(lock).foreign_releases = 1;
  EXPECT_TRUE(Judge().empty());
}

TEST_P(UnnamedAbBa, IsSilentIfTheHolderIsNotKnown) {
  scene.book.Release(one, lock);
  EXPECT_TRUE(Judge().empty());
}

TEST_P(UnnamedAbBa, IsSilentIfTwoAreSaidToHoldIt) {
  scene.book.Hold(other, ledger::WithMode(lock, 1), 0x4010);
  EXPECT_TRUE(Judge().empty());
}

TEST_P(UnnamedAbBa, IsSilentIfTheHolderCanRun) {
  scene.book.EndWait(one);
  scene.kernel.Run(scene.TidOf(one));
  EXPECT_TRUE(Judge().empty());
}

TEST_P(UnnamedAbBa, IsSilentIfTheKernelContradicts) {
  auto& thread = scene.kernel.threads[scene.TidOf(two)];
  thread.state = thread.state == 'R' ? 'S' : 'R';  // asleep elsewhere; awake
  EXPECT_TRUE(Judge().empty());
}

TEST_P(UnnamedAbBa, IsSilentIfTheWaiterWentOnBetweenTheLooks) {
  EXPECT_TRUE(Judge([&] { ++scene.book.thread(two).waits; }).empty());
}

TEST_P(UnnamedAbBa, IsStillStrongIfNoWordCanBeRead) {
  scene.kernel.memory_readable = false;
  const auto findings = Judge();
  ASSERT_EQ(findings.size(), 1u);
  EXPECT_EQ(findings[0].confidence, Confidence::kStrong);
}

TEST_P(UnnamedAbBa, WaitingForOneselfIsASelfDeadlock) {
  Scene alone;
  const uint32_t t = alone.Thread("t");
  alone.Thread("other");
  const auto again = (alone.*GetParam().make)();
  alone.Take(t, again);
  GetParam().block(alone, t, again);
  const auto findings = alone.Judge([&] { alone.Spun(t); });
  ASSERT_EQ(findings.size(), 1u);
  EXPECT_EQ(findings[0].kind, FindingKind::kSelfDeadlock);
  EXPECT_EQ(findings[0].confidence, Confidence::kStrong);
}

INSTANTIATE_TEST_SUITE_P(Kinds, UnnamedAbBa, testing::ValuesIn(kKinds),
                         [](const auto& kind) { return std::string(kind.param.name); });

class SpinDeadlockTest : public testing::Test {
 protected:
  void SetUp() override {
    one = scene.Thread("one");
    two = scene.Thread("two");
    a = scene.Spin();
    b = scene.Spin();
    scene.Take(one, a);
    scene.Take(two, b);
    scene.BlockSpin(one, b);
    scene.BlockSpin(two, a);
  }
  void Spun() {
    scene.Spun(one);
    scene.Spun(two);
  }
  Scene scene;
  uint32_t one = 0, two = 0;
  Scene::Ref a = 0, b = 0;
};

TEST_F(SpinDeadlockTest, TwoThatSpinForEachOtherAreADeadlock) {
  const auto findings = scene.Judge([&] { Spun(); });
  ASSERT_EQ(findings.size(), 1u);
  EXPECT_EQ(findings[0].confidence, Confidence::kStrong);
  EXPECT_NE(findings[0].story[0].find("spins on spinlock 2"), std::string::npos);
  for (const std::string& line : findings[0].evidence) {
    EXPECT_EQ(line.find("asleep"), std::string::npos) << line;
  }
}

TEST_F(SpinDeadlockTest, IsToldAsSoonAsBothCountersHaveMoved) {
  EXPECT_TRUE(scene.Judge([&] { scene.Spun(one); }).empty()) << "the other got no time to run";
  scene.Spun(two);
  EXPECT_EQ(scene.Step(Scene::kStart + 2 * Scene::kConfirm).size(), 1u);
}

TEST_F(SpinDeadlockTest, AStoppedSpinnerIsNotJudged) {
  scene.kernel.threads[scene.TidOf(two)].state = 't';
  EXPECT_TRUE(scene.Judge([&] { Spun(); }).empty());
}

TEST_F(SpinDeadlockTest, ASpinnerInASystemCallIsInAHandler) {
  scene.kernel.threads[scene.TidOf(two)].syscall = SYS_futex;
  EXPECT_TRUE(scene.Judge([&] { Spun(); }).empty());
}

// One waits at a barrier holding what the other spins for before it can arrive.
TEST(SpinAndBarrierTest, ASpinnerThatWouldHaveArrivedIsADeadlockUnlessHandlersCouldRun) {
  for (const bool handlers : {false, true}) {
    Scene scene;
    const uint32_t waits = scene.Thread("waits"), spins = scene.Thread("spins");
    const auto spin = scene.Spin(), barrier = scene.Barrier();
    scene.Take(waits, spin);
    scene.BlockBarrier(waits, barrier);
    scene.BlockSpin(spins, spin);
    if (handlers) scene.kernel.caught_signals = uint64_t{1} << (SIGTERM - 1);
    const auto findings = scene.Judge([&] {
      scene.Spun(spins);
      ++*scene.kernel.threads[scene.TidOf(spins)].context_switches;
    });
    EXPECT_EQ(findings.size(), handlers ? 0u : 1u);
  }
}

class FutexTest : public testing::Test {
 protected:
  void SetUp() override {
    one = scene.Thread("one");
    two = scene.Thread("two");
    futex = scene.Futex();
    scene.BlockFutex(one, futex);
    scene.BlockJoin(two, one);
  }
  uint64_t& Operation() { return scene.kernel.threads[scene.TidOf(one)].syscall_args[1]; }
  Scene scene;
  uint32_t one = 0, two = 0;
  Scene::Ref futex = 0;
};

TEST_F(FutexTest, EverybodyAsleepIsADeadlockAndSaysWhereTheFutexIs) {
  const auto findings = scene.Judge();
  ASSERT_EQ(findings.size(), 1u);
  EXPECT_EQ(findings[0].confidence, Confidence::kStrong);
  EXPECT_EQ(findings[0].story[0].find("Thread 'one' (tid 100) waits on a futex at 0x10000 ("), 0u);
}

TEST_F(FutexTest, IsSilentIfAnybodyRuns) {
  scene.Thread("other");
  EXPECT_TRUE(scene.Judge().empty());
}

TEST_F(FutexTest, IsSilentIfTheWaitHasATimeLimit) {
  auto& wait = scene.book.thread(one).frame0.wait.wait;
  wait = wait | ledger::kTimed;
  EXPECT_TRUE(scene.Judge().empty());
}

TEST_F(FutexTest, IsSilentIfAnotherProcessCouldWakeIt) {
  Operation() = FUTEX_WAIT;
  EXPECT_TRUE(scene.Judge().empty());
}

TEST_F(FutexTest, ASharedFutexInMemoryThatIsNotSharedIsWokenByNobodyElse) {
  Operation() = FUTEX_WAIT;  // as std::future waits
  scene.kernel.memory_private = true;
  EXPECT_EQ(scene.Judge().size(), 1u);
}

TEST_F(FutexTest, IsSilentIfAHandlerCouldWakeIt) {
  scene.kernel.caught_signals = uint64_t{1} << (SIGUSR1 - 1);
  EXPECT_TRUE(scene.Judge().empty());
}

TEST(BarrierWordTest, AWaiterOnAnotherWordOfItsBarrierContradicts) {
  Scene scene;
  const auto barrier = scene.Barrier();
  const uint32_t thread = scene.Thread("w");
  scene.BlockBarrier(thread, barrier);
  scene.kernel.threads[scene.TidOf(thread)].syscall_args[0] += 4;  // the count
  EXPECT_TRUE(scene.Judge().empty());
}

// The condition of an old program: the object is a pointer to what is slept on.
TEST(OldConditionTest, IsFollowedToTheConditionBehindIt) {
  for (const bool there : {true, false}) {
    Scene scene;
    const uint32_t thread = scene.Thread("w");
    const auto condition = scene.Condition(), mutex = scene.Mutex();
    scene.book.lock(condition).kind_and_flags =
        scene.book.lock(condition).kind_and_flags | ledger::kBehindPointer;
    scene.BlockCondition(thread, condition, mutex, /*on_mutex=*/false);
    scene.kernel.SetWord(scene.AddressOf(condition), 0x99000);
    scene.kernel.threads[scene.TidOf(thread)].syscall_args[0] = there ? 0x99008 : 0x98000;
    EXPECT_EQ(scene.Judge().size(), there ? 1u : 0u);
  }
}

}  // namespace
}  // namespace lockwarden
