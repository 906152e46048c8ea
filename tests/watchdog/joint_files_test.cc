// Deadlocks through file locks: what is found, and each way in which it only looks so.
#include <csignal>

#include "tests/watchdog/joint_scene.h"

namespace lockwarden {
namespace {

using ledger::LockKind;

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

TEST_F(JointTest, AFilesHolderIsSaidToHaveTakenItWhereItsDescriptorLastDid) {
  BlockFile(0, 3, "one", {{kPids[1]}});
  BlockFile(1, 4, "two", {{kPids[0]}});
  files_->waits[{kPids[0], 3}].conflicting[0].descriptors = {{kPids[1], {6, 7}}};
  const Ref taken = scenes[1].book.AddLock(LockKind::kFileLock, ledger::kFileLockBase | 7, 0);
  scenes[1].book.lock(taken).plain_stack = scenes[1].book.AddStack({0x4055});
  const auto findings = Judge();
  ASSERT_EQ(findings.size(), 1u);
  const Finding& finding = findings[0].finding;
  EXPECT_NE(finding.story[0].find("which thread 'main' (tid 100 of pid 4243) holds (taken at "
                                  "f4055, file.cc:85)"),
            std::string::npos)
      << finding.story[0];
  EXPECT_TRUE(finding.threads[0].holds[0].stack.empty()) << "nothing is known of the other";
}

TEST_F(JointTest, OneThreadThatWaitsForItsOwnDescriptorsLock) {
  BlockFile(0, 3, "one", {{kPids[0]}});
  const auto findings = Judge();
  ASSERT_EQ(findings.size(), 1u);
  EXPECT_EQ(findings[0].finding.kind, FindingKind::kSelfDeadlock);
}

TEST_F(JointTest, AWaitThatAppearsWhileOnlyTheOwnJudgeLooksIsSeen) {
  EXPECT_TRUE(Step(kStart).empty());
  BlockFile(0, 3, "one", {{kPids[0]}});
  Look(kStart + kConfirm);  // which its judge wanted: nothing has moved at the next look
  std::vector<JointFinding> findings;
  for (uint64_t i = 2; i < 9; ++i) {
    for (JointFinding& more : Step(kStart + i * kConfirm)) findings.push_back(std::move(more));
  }
  EXPECT_EQ(findings.size(), 1u);
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

TEST_F(JointTest, AFilesHolderThatIsNotSupervisedIsNamedWhenTheWaiterEnds) {
  BlockFile(0, 3, "one", {{9999}});
  constexpr uint64_t kSecond = 1'000'000'000;
  for (uint64_t look = 0; look < 20; ++look) {
    EXPECT_TRUE(Step(kStart + look * kSecond / 10).empty());
  }
  const auto lines = joint_.Forget(Look(kStart + 2 * kSecond)[0], kStart + 2 * kSecond);
  ASSERT_EQ(lines.size(), 1u);
  EXPECT_EQ(lines[0], "thread 'main' (tid 100) of pid 4242 waited to the end for the file lock on "
                      "/one (wanted at f4020, file.cc:32), held by pid 9999 (not supervised)");
  EXPECT_TRUE(joint_.Forget(Look(kStart + 2 * kSecond)[0], kStart + 2 * kSecond).empty());
}

}  // namespace
}  // namespace lockwarden
