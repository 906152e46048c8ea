// Deadlocks through two processes: what is found, and each way in which it only looks so.
// Two scenes stand for the processes; their threads have the same tids, as in two pid
// namespaces, and they map the shared page at different addresses.
#include "watchdog/joint_detector.h"

#include <gtest/gtest.h>

#include <csignal>

#include "tests/watchdog/scene.h"

namespace lockwarden {
namespace {

using ledger::LockKind;
using ledger::Mode;

constexpr int kPids[2] = {4242, 4243};
constexpr uint32_t kShared = ledger::kInitSeen | ledger::kProcessShared;

// Files by what the waiting thread's first argument, its descriptor, says.
class FakeFiles : public FileLockView {
 public:
  std::optional<FileLockWait> Ask(int pid, const KernelThread& thread, KernelView*) override {
    ++asked;
    const auto found = waits.find({pid, thread.syscall_args[0]});
    if (found == waits.end() || thread.state != 'S') return std::nullopt;
    return found->second;
  }
  std::map<std::pair<int, uint64_t>, FileLockWait> waits;
  int asked = 0;
};

class JointTest : public testing::Test {
 protected:
  using Ref = Scene::Ref;

  JointTest() : files_(new FakeFiles), joint_(std::unique_ptr<FileLockView>(files_), kConfirm) {
    // The scenes' locks begin at 0x10000: the second has a page more before its shared one.
    for (int p = 0; p < 2; ++p) {
      const uint64_t shift = p == 0 ? 0 : 0x100;
      scenes[p].book.header().pid = static_cast<uint32_t>(kPids[p]);
      scenes[p].kernel.shared = {{0x10000 + shift, 0x14000, {.device = 1, .inode = 77}}};
    }
    private_ = scenes[1].Mutex();
    for (int p = 0; p < 2; ++p) main_[p] = scenes[p].Thread("main");
  }

  // The same object in both.
  template <class Make>
  void Share(Ref (&lock)[2], Make make) {
    for (int p = 0; p < 2; ++p) lock[p] = make(scenes[p]);
  }
  void Mutexes(uint32_t flags = kShared) {
    Share(a, [&](Scene& scene) { return scene.Mutex(flags); });
    Share(b, [&](Scene& scene) { return scene.Mutex(flags); });
    for (int p = 0; p < 2; ++p) {
      for (Ref lock : {a[p], b[p]}) {
        // __kind: 128 is "between processes", 16 robust
        const uint32_t robust = (flags & ledger::kRobust) != 0 ? 16 : 0;
        scenes[p].kernel.SetWord(scenes[p].AddressOf(lock) + 16, 128 | robust);
      }
    }
  }
  // Process p's main thread takes it; the word is one and the same memory.
  void Take(int p, Ref (&lock)[2]) {
    scenes[p].Take(main_[p], lock[p]);
    CopyWord(p, lock);
  }
  void CopyWord(int p, Ref (&lock)[2]) {
    for (uint64_t i = 0; i < 56; ++i) {
      const auto byte = scenes[p].kernel.memory.find(scenes[p].AddressOf(lock[p]) + i);
      if (byte == scenes[p].kernel.memory.end()) break;
      scenes[1 - p].kernel.memory[scenes[1 - p].AddressOf(lock[1 - p]) + i] = byte->second;
    }
  }
  void Cross() {
    Take(0, a);
    Take(1, b);
    scenes[0].Block(main_[0], b[0]);
    scenes[1].Block(main_[1], a[1]);
  }

  std::vector<JudgedProcess> Look(uint64_t now_ns) {
    std::vector<JudgedProcess> processes;
    for (int p = 0; p < 2; ++p) {
      if (absent == p) continue;
      own = scenes[p].Step(now_ns);
      EXPECT_TRUE(Only(own, FindingKind::kDeadlock).empty()) << "told by the process's own judge";
      EXPECT_TRUE(Only(own, FindingKind::kSelfDeadlock).empty());
      processes.push_back(scenes[p].judge().Lend());
    }
    return processes;
  }
  std::vector<JointFinding> Step(uint64_t now_ns) { return joint_.Look(Look(now_ns), now_ns); }
  // Two looks, and one more for waits that must not have run in between.
  std::vector<JointFinding> Judge(const std::function<void()>& between = nullptr) {
    EXPECT_TRUE(Step(kStart).empty()) << "one look is not enough";
    if (between) between();
    std::vector<JointFinding> findings = Step(kStart + kConfirm);
    for (JointFinding& more : Step(kStart + 10 * kConfirm)) findings.push_back(std::move(more));
    return findings;
  }

  // Process p's main thread waits for a file by this descriptor; `holders` hold it.
  void BlockFile(int p, int fd, const std::string& identity,
                 std::vector<std::set<int>> holders, bool exclusive = true) {
    Scene& scene = scenes[p];
    const Ref lock =
        scene.book.AddLock(LockKind::kFileLock,
                           ledger::kFileLockBase | static_cast<uint64_t>(fd), 0);
    scene.book.BeginWait(main_[p], ledger::WithMode(lock, static_cast<uint8_t>(Mode::kExclusive)),
                         ledger::kFileLockBase, 0x4020);
    scene.kernel.SleepOn(scene.TidOf(main_[p]), static_cast<uint64_t>(fd));
    scene.kernel.threads[scene.TidOf(main_[p])].syscall = SYS_flock;
    FileLockWait& wait = files_->waits[{kPids[p], static_cast<uint64_t>(fd)}];
    wait.wanted.exclusive = exclusive;
    wait.identity = identity;
    wait.path = "/" + identity;
    for (std::set<int>& pids : holders) {
      wait.conflicting.push_back({{.exclusive = exclusive}, std::move(pids)});
    }
  }

  static constexpr uint64_t kStart = Scene::kStart, kConfirm = Scene::kConfirm;
  Scene scenes[2] = {Scene(kPids[0]), Scene(kPids[1])};
  uint32_t main_[2];
  Ref a[2], b[2], private_;
  FakeFiles* files_;
  JointDetector joint_;
  std::vector<Finding> own;
  int absent = -1;
};

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
  joint_.Forget(Look(kStart)[1]);
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
  joint_.Forget(Look(kStart)[1]);
  absent = 1;
  scenes[0].kernel.ended = {scenes[1].TidOf(main_[1])};
  EXPECT_TRUE(Step(kStart + kConfirm).empty());
  EXPECT_TRUE(Step(kStart + 10 * kConfirm).empty());
}

TEST_F(JointTest, FilesLockedCrosswise) {
  BlockFile(0, 3, "one", {{kPids[1]}});
  BlockFile(1, 4, "two", {{kPids[0]}});
  const auto findings = Judge();
  ASSERT_EQ(findings.size(), 1u);
  const Finding& finding = findings[0].finding;
  EXPECT_EQ(finding.confidence, Confidence::kProven);
  ASSERT_EQ(finding.locks.size(), 2u);
  EXPECT_EQ(finding.locks[0].label, "the file lock on /one");
  ASSERT_EQ(finding.threads.size(), 2u);
  EXPECT_EQ(finding.threads[0].holds.size(), 1u);
}

TEST_F(JointTest, OneThreadThatWaitsForItsOwnDescriptorsLock) {
  BlockFile(0, 3, "one", {{kPids[0]}});
  const auto findings = Judge();
  ASSERT_EQ(findings.size(), 1u);
  EXPECT_EQ(findings[0].finding.kind, FindingKind::kSelfDeadlock);
}

TEST_F(JointTest, AFileAndAMutex) {
  Mutexes();
  Take(1, b);
  scenes[0].Block(main_[0], b[0]);
  BlockFile(1, 4, "two", {{kPids[0]}});
  EXPECT_EQ(Judge().size(), 1u);
}

TEST_F(JointTest, AnyThreadOfAHolderMayReleaseAFile) {
  BlockFile(0, 3, "one", {{kPids[1]}});
  BlockFile(1, 4, "two", {{kPids[0]}});
  scenes[1].Thread("worker");  // runs
  EXPECT_TRUE(Judge().empty());
}

TEST_F(JointTest, AThreadThatIsNotRecordedMayReleaseAFile) {
  BlockFile(0, 3, "one", {{kPids[1]}});
  BlockFile(1, 4, "two", {{kPids[0]}});
  scenes[1].kernel.AddThread(999);
  EXPECT_TRUE(Judge().empty());
}

TEST_F(JointTest, SoMayAnyProcessThatSharesTheDescription) {
  BlockFile(0, 3, "one", {{kPids[1], 9999}});
  BlockFile(1, 4, "two", {{kPids[0]}});
  EXPECT_TRUE(Judge().empty());
}

TEST_F(JointTest, OfTwoReadersOneThatIsStuckIsEnough) {
  BlockFile(0, 3, "one", {{9999}, {kPids[1]}});
  BlockFile(1, 4, "two", {{kPids[0]}});
  EXPECT_EQ(Judge().size(), 1u);
}

TEST_F(JointTest, AFileThatNobodyHoldsIsGivenSoon) {
  BlockFile(0, 3, "one", {});
  BlockFile(1, 4, "two", {{kPids[0]}});
  EXPECT_TRUE(Judge().empty());
}

TEST_F(JointTest, AnAlarmEndsAWaitForAFile) {
  BlockFile(0, 3, "one", {{kPids[1]}});
  BlockFile(1, 4, "two", {{kPids[0]}});
  scenes[1].kernel.caught_signals = uint64_t{1} << (SIGALRM - 1);
  EXPECT_TRUE(Judge().empty());
}

TEST_F(JointTest, OtherHandlersAndHiddenProcessesAreSaidAndLowerTheGrade) {
  BlockFile(0, 3, "one", {{kPids[1]}});
  BlockFile(1, 4, "two", {{kPids[0]}});
  scenes[1].kernel.caught_signals = uint64_t{1} << (SIGTERM - 1);
  files_->waits.begin()->second.complete = false;
  const auto findings = Judge();
  ASSERT_EQ(findings.size(), 1u);
  EXPECT_EQ(findings[0].finding.confidence, Confidence::kStrong);
}

TEST_F(JointTest, AThreadThatRanMeanwhileMayHaveClosedTheFile) {
  BlockFile(0, 3, "one", {{kPids[1]}});
  BlockFile(1, 4, "two", {{kPids[0]}});
  const uint32_t tid = scenes[1].TidOf(main_[1]);
  EXPECT_TRUE(Step(kStart).empty());
  for (int look = 1; look < 20; ++look) {
    scenes[1].kernel.threads[tid].context_switches = 100 + look;
    EXPECT_TRUE(Step(kStart + static_cast<uint64_t>(look) * 10 * kConfirm).empty());
  }
  EXPECT_TRUE(Step(kStart + 1000 * kConfirm).empty()) << "it ran since it was asked about";
  EXPECT_EQ(Step(kStart + 2000 * kConfirm).size(), 1u) << "now it has slept throughout";
}

TEST_F(JointTest, AHealthyWaitForAFileIsAskedAboutLessAndLessOften) {
  BlockFile(0, 3, "one", {{9999}});
  for (uint64_t look = 0; look < 600; ++look) {  // a minute
    EXPECT_TRUE(Step(kStart + look * 100'000'000).empty());
  }
  EXPECT_GT(files_->asked, 3);
  EXPECT_LT(files_->asked, 30);
}

}  // namespace
}  // namespace lockwarden
