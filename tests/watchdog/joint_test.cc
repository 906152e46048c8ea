// Deadlocks through two processes on locks in shared memory: what is found, and each way in
// which it only looks so.
#include <sys/mman.h>
#include <unistd.h>

#include "tests/watchdog/joint_scene.h"

namespace lockwarden {
namespace {

using ledger::Mode;

TEST_F(JointTest, TwoMutexesTakenCrosswiseAreToldOnceWithBothProcesses) {
  Mutexes();
  Cross();
  const auto findings = Judge();
  ASSERT_EQ(findings.size(), 1u);
  const Finding& finding = findings[0].finding;
  EXPECT_EQ(finding.kind, FindingKind::kDeadlock);
  EXPECT_EQ(finding.confidence, Confidence::kProven);
  EXPECT_EQ(finding.headline, "DEADLOCK: 2 threads of 2 processes, 2 locks");
  EXPECT_EQ(findings[0].pids, (std::vector<int>{4242, 4243}));
  ASSERT_EQ(finding.threads.size(), 2u);
  EXPECT_NE(finding.threads[0].pid, finding.threads[1].pid);
  ASSERT_EQ(finding.locks.size(), 2u) << "two locks, each seen from two processes";
  EXPECT_NE(finding.locks[0].id, finding.locks[1].id);
  EXPECT_EQ(joint_.deadlocks_now(), 1u);
  EXPECT_EQ(joint_.deadlocked_threads(), 2u);
}

TEST_F(JointTest, PrivateLocksOfOneNumberAreToldApart) {
  Mutexes();
  scenes[0].Take(main_[0], scenes[0].Mutex());
  scenes[1].Take(main_[1], private_);
  Cross();
  const auto findings = Judge();
  ASSERT_EQ(findings.size(), 1u);
  EXPECT_EQ(findings[0].finding.locks.size(), 4u);
  std::set<uint64_t> ids;
  for (const FindingLock& lock : findings[0].finding.locks) ids.insert(lock.id);
  EXPECT_EQ(ids.size(), 4u);
}

TEST_F(JointTest, ThreadsBehindAreNamed) {
  Mutexes();
  Cross();
  const uint32_t third = scenes[1].Thread("third");
  scenes[1].Block(third, a[1]);
  const auto findings = Judge();
  ASSERT_EQ(findings.size(), 1u);
  ASSERT_EQ(findings[0].finding.threads.size(), 3u);
  EXPECT_EQ(findings[0].finding.threads[2].role, FindingThread::Role::kBehind);
}

TEST_F(JointTest, NothingIsSaidIfTheWordNamesSomebodyElse) {
  Mutexes();
  Cross();
  scenes[1].kernel.SetWord(scenes[1].AddressOf(a[1]) + 8, 555);
  EXPECT_TRUE(Judge().empty());
}

TEST_F(JointTest, NothingIsSaidIfTheMutexIsFree) {
  Mutexes();
  Cross();
  scenes[0].kernel.SetWord(scenes[0].AddressOf(b[0]), 0);
  EXPECT_TRUE(Judge().empty());
}

TEST_F(JointTest, NothingIsSaidIfEitherRuns) {
  Mutexes();
  Cross();
  scenes[1].kernel.Run(scenes[1].TidOf(main_[1]));
  EXPECT_TRUE(Judge().empty());
}

TEST_F(JointTest, NothingIsSaidIfOneWaitHasALimit) {
  Mutexes();
  Take(0, a);
  Take(1, b);
  scenes[0].Block(main_[0], b[0]);
  scenes[1].Block(main_[1], a[1], /*timed=*/true);
  EXPECT_TRUE(Judge().empty());
}

TEST_F(JointTest, NothingIsSaidIfARecordMovedBetweenTheLooks) {
  Mutexes();
  Cross();
  EXPECT_TRUE(Step(kStart).empty());
  scenes[1].book.thread(main_[1]).waits += 1;
  EXPECT_TRUE(Step(kStart + kConfirm).empty()) << "its first sight is now";
  EXPECT_EQ(Step(kStart + 2 * kConfirm).size(), 1u);
}

TEST_F(JointTest, AnotherObjectAtTheSameOffsetIsAnotherLock) {
  Mutexes();
  Cross();
  scenes[1].kernel.shared[0].at_begin.inode = 78;
  EXPECT_TRUE(Judge().empty());
}

TEST_F(JointTest, AHolderThatIsNotSupervisedCanRun) {
  Mutexes();
  Cross();
  absent = 1;
  EXPECT_TRUE(Judge().empty());
}

TEST_F(JointTest, ATidOfAnotherNamespaceIsNotTakenForOnesOwn) {
  // The word names 100, as the waiting thread is called itself; it is somebody else's 100.
  Mutexes();
  scenes[0].kernel.SetWord(scenes[0].AddressOf(a[0]), 2);
  scenes[0].kernel.SetWord(scenes[0].AddressOf(a[0]) + 8, scenes[0].TidOf(main_[0]));
  scenes[0].Block(main_[0], a[0]);
  EXPECT_TRUE(Judge().empty());
}

TEST_F(JointTest, AReadLockOfOneProcessKeepsTheOthersWriterOut) {
  Share(a, [](Scene& scene) { return scene.RwLock(kShared); });
  Share(b, [](Scene& scene) { return scene.RwLock(kShared); });
  scenes[0].TakeShared(main_[0], a[0]);
  CopyWord(0, a);
  scenes[1].TakeShared(main_[1], b[1]);
  CopyWord(1, b);
  scenes[0].BlockWriter(main_[0], b[0]);
  scenes[1].BlockWriter(main_[1], a[1]);
  CopyWord(0, b);
  CopyWord(1, a);
  const auto findings = Judge();
  ASSERT_EQ(findings.size(), 1u);
  EXPECT_EQ(findings[0].finding.confidence, Confidence::kProven);
}

class JointSemaphoreTest : public JointTest {
 protected:
  void CrossUnits() {
    Share(a, [](Scene& scene) { return scene.Semaphore(); });
    Share(b, [](Scene& scene) { return scene.Semaphore(); });
    for (int p = 0; p < 2; ++p) {
      for (Ref lock : {a[p], b[p]}) {
        scenes[p].kernel.SetWord(scenes[p].AddressOf(lock) + 8, 128);  // between processes
        scenes[p].book.lock(lock).own_releases = 3;
      }
    }
    scenes[0].TakeUnit(main_[0], a[0]);
    scenes[1].TakeUnit(main_[1], b[1]);
    scenes[0].BlockUnit(main_[0], b[0]);
    scenes[1].BlockUnit(main_[1], a[1]);
  }
};

TEST_F(JointSemaphoreTest, UsedAsLocksAreAStallOnceTheyHaveLasted) {
  CrossUnits();
  EXPECT_TRUE(Judge().empty());
  const auto findings = Step(kStart + 2'000'000'000);
  ASSERT_EQ(findings.size(), 1u);
  EXPECT_EQ(findings[0].finding.kind, FindingKind::kStall);
  EXPECT_EQ(findings[0].finding.confidence, Confidence::kLikely);
  EXPECT_TRUE(Step(kStart + 20'000'000'000).empty()) << "once";
}

TEST_F(JointSemaphoreTest, ThatWereHandedOverOnceAreNot) {
  CrossUnits();
  scenes[1].book.lock(b[1]).foreign_releases = 1;
  EXPECT_TRUE(Judge().empty());
  EXPECT_TRUE(Step(kStart + 2'000'000'000).empty());
}

TEST_F(JointSemaphoreTest, MayBePostedByAHandlerThatRunsByItself) {
  CrossUnits();
  scenes[0].kernel.caught_signals = uint64_t{1} << (SIGALRM - 1);
  EXPECT_TRUE(Judge().empty());
  EXPECT_TRUE(Step(kStart + 2'000'000'000).empty());
}

TEST_F(JointSemaphoreTest, WithAUnitLeftBlockNobody) {
  CrossUnits();
  scenes[0].kernel.SetWord(scenes[0].AddressOf(b[0]), 1);
  EXPECT_TRUE(Judge().empty());
  EXPECT_TRUE(Step(kStart + 2'000'000'000).empty());
}

TEST_F(JointTest, AMutexThatOthersReleasedProvesNothing) {
  Mutexes();
  Cross();
  scenes[1].book.lock(b[1]).foreign_releases = 1;
  EXPECT_TRUE(Judge().empty());
}

TEST_F(JointTest, TheProcessThatHeldItHasEnded) {
  Mutexes();
  Take(1, b);
  scenes[0].Block(main_[0], b[0]);
  EXPECT_TRUE(Step(kStart).empty());
  // Its thread, which is called as the waiter is, is gone from every list.
  joint_.Forget(Look(kStart)[1], kStart);
  absent = 1;
  const uint32_t owner = scenes[1].TidOf(main_[1]);
  scenes[0].kernel.ended = {owner};
  EXPECT_TRUE(Step(kStart + kConfirm).empty());
  const auto findings = Step(kStart + 10 * kConfirm);
  ASSERT_EQ(findings.size(), 1u);
  EXPECT_EQ(findings[0].finding.confidence, Confidence::kStrong);
  EXPECT_NE(findings[0].finding.headline.find("has ended"), std::string::npos);
}

TEST_F(JointTest, ARobustMutexGoesToTheNextWhenItsHolderEnds) {
  Mutexes(kShared | ledger::kRobust);
  Take(1, b);
  scenes[0].kernel.SetWord(scenes[0].AddressOf(b[0]), scenes[1].TidOf(main_[1]));
  scenes[0].Block(main_[0], b[0]);
  EXPECT_TRUE(Step(kStart).empty());
  joint_.Forget(Look(kStart)[1], kStart);
  absent = 1;
  scenes[0].kernel.ended = {scenes[1].TidOf(main_[1])};
  EXPECT_TRUE(Step(kStart + kConfirm).empty());
  EXPECT_TRUE(Step(kStart + 10 * kConfirm).empty());
}

// The lock lies in memory of this test's process, whose number stands in its word.
TEST_F(JointTest, AHolderThatIsNotSupervisedIsNamedWhenTheWaiterEnds) {
  void* const page = mmap(nullptr, 4096, PROT_READ, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  const std::optional<SharedId> id =
      FindShared(ReadSharedMappings(getpid()), reinterpret_cast<uint64_t>(page));
  ASSERT_TRUE(id.has_value());
  Mutexes();
  const uint64_t mutex = scenes[0].AddressOf(a[0]);
  scenes[0].kernel.shared = {{mutex, mutex + 4096, *id}};
  scenes[0].kernel.SetWord(mutex, 2);
  scenes[0].kernel.SetWord(mutex + 8, static_cast<uint32_t>(getpid()));
  scenes[0].Block(main_[0], a[0]);
  absent = 1;
  constexpr uint64_t kSecond = 1'000'000'000;
  EXPECT_TRUE(Step(kStart).empty());
  EXPECT_TRUE(joint_.Forget(Look(kStart)[0], kStart).empty()) << "it has hardly waited";
  EXPECT_TRUE(Step(kStart).empty());
  EXPECT_TRUE(Step(kStart + 2 * kSecond).empty());
  const auto lines = joint_.Forget(Look(kStart + 2 * kSecond)[0], kStart + 2 * kSecond);
  ASSERT_EQ(lines.size(), 1u);
  EXPECT_EQ(lines[0], "thread 'main' (tid 100) of pid 4242 waited to the end for shared mutex 1 "
                      "(wanted at f4020, file.cc:32), held by pid " + std::to_string(getpid()) +
                          " (not supervised)");
  munmap(page, 4096);
}

TEST_F(JointTest, WhoMovedOnIsNotSaidToWait) {
  Mutexes();
  const uint64_t mutex = scenes[0].AddressOf(a[0]);
  scenes[0].kernel.SetWord(mutex, 2);
  scenes[0].kernel.SetWord(mutex + 8, static_cast<uint32_t>(getpid()));
  scenes[0].Block(main_[0], a[0]);
  absent = 1;
  EXPECT_TRUE(Step(kStart).empty());
  EXPECT_TRUE(Step(kStart + 2'000'000'000).empty());
  scenes[0].book.EndWait(main_[0]);
  EXPECT_TRUE(joint_.Forget(Look(kStart + 2'000'000'000)[0], kStart + 2'000'000'000).empty());
}

}  // namespace
}  // namespace lockwarden
