// Verdicts about read-write locks.
#include <gtest/gtest.h>

#include "tests/watchdog/scene.h"

namespace lockwarden {
namespace {

TEST(RwLockDeadlockTest, WriterBehindAReaderThatWaitsForTheWriterIsProven) {
  Scene scene;
  const uint32_t reader = scene.Thread("reader"), writer = scene.Thread("writer");
  scene.Thread("runs");
  const auto rw = scene.RwLock(), m = scene.Mutex();
  scene.TakeShared(reader, rw);
  scene.Take(writer, m);
  scene.BlockWriter(writer, rw);
  scene.Block(reader, m);
  const auto findings = Only(scene.Judge(), FindingKind::kDeadlock);
  ASSERT_EQ(findings.size(), 1u);
  EXPECT_EQ(findings[0].confidence, Confidence::kProven);
}

TEST(RwLockDeadlockTest, ReaderBehindAWriterThatWaitsForTheReaderIsProven) {
  Scene scene;
  const uint32_t reader = scene.Thread("reader"), writer = scene.Thread("writer");
  const auto rw = scene.RwLock(), m = scene.Mutex();
  scene.Take(reader, m);
  scene.Take(writer, rw);
  scene.BlockShared(reader, rw);
  scene.Block(writer, m);
  const auto findings = Only(scene.Judge(), FindingKind::kDeadlock);
  ASSERT_EQ(findings.size(), 1u);
  EXPECT_EQ(findings[0].confidence, Confidence::kProven);
}

TEST(RwLockDeadlockTest, TwoReadersThatBothWantToWriteAreOneDeadlock) {
  Scene scene;
  const uint32_t x = scene.Thread("x"), y = scene.Thread("y");
  scene.Thread("runs");
  const auto rw = scene.RwLock();
  scene.TakeShared(x, rw);
  scene.TakeShared(y, rw);
  scene.BlockWriter(x, rw);
  scene.BlockWriter(y, rw);
  const auto findings = Only(scene.Judge(), FindingKind::kDeadlock);
  ASSERT_EQ(findings.size(), 1u);
  EXPECT_EQ(findings[0].headline, "DEADLOCK: 2 threads, 1 lock");
  EXPECT_EQ(findings[0].confidence, Confidence::kProven);
}

TEST(RwLockDeadlockTest, OneReaderThatWantsToWriteWaitsForItself) {
  Scene scene;
  const uint32_t x = scene.Thread("x"), y = scene.Thread("reads on");
  const auto rw = scene.RwLock();
  scene.TakeShared(x, rw);
  scene.TakeShared(y, rw);
  scene.BlockWriter(x, rw);
  EXPECT_EQ(Only(scene.Judge(), FindingKind::kSelfDeadlock).size(), 1u);
}

TEST(RwLockDeadlockTest, WriterBehindAReaderThatRunsIsNone) {
  Scene scene;
  const uint32_t reader = scene.Thread("reader"), writer = scene.Thread("writer");
  const auto rw = scene.RwLock(), m = scene.Mutex();
  scene.TakeShared(reader, rw);
  scene.Take(writer, m);
  scene.BlockWriter(writer, rw);
  EXPECT_TRUE(scene.Judge().empty());
}

TEST(RwLockDeadlockTest, FewerReadersInTheWordThanWereRecordedContradict) {
  Scene scene;
  const uint32_t reader = scene.Thread("reader"), writer = scene.Thread("writer");
  scene.Thread("runs");
  const auto rw = scene.RwLock(), m = scene.Mutex();
  scene.TakeShared(reader, rw);
  scene.Take(writer, m);
  scene.BlockWriter(writer, rw);
  scene.Block(reader, m);
  scene.kernel.SetWord(scene.AddressOf(rw), 2);  // somebody else released it for the reader
  EXPECT_TRUE(scene.Judge().empty());
}

TEST(RwLockDeadlockTest, MoreReadersInTheWordThanWereRecordedMakeItStrong) {
  Scene scene;
  const uint32_t reader = scene.Thread("reader"), writer = scene.Thread("writer");
  scene.Thread("runs");
  const auto rw = scene.RwLock(), m = scene.Mutex();
  scene.TakeShared(reader, rw);
  scene.Take(writer, m);
  scene.BlockWriter(writer, rw);
  scene.Block(reader, m);
  scene.kernel.SetWord(scene.AddressOf(rw), 8 * 2 + 2);
  const auto findings = Only(scene.Judge(), FindingKind::kDeadlock);
  ASSERT_EQ(findings.size(), 1u);
  EXPECT_EQ(findings[0].confidence, Confidence::kStrong);
}

class ReadAgain : public testing::Test {
 protected:
  void Play(uint32_t flags, bool timed_writer) {
    const uint32_t reader = scene.Thread("reader"), writer = scene.Thread("writer");
    scene.Thread("runs");
    const auto rw = scene.RwLock(flags);
    scene.TakeShared(reader, rw);
    scene.BlockWriter(writer, rw, timed_writer);
    scene.BlockShared(reader, rw);
    scene.kernel.SleepOn(scene.TidOf(reader), scene.AddressOf(rw));  // on __readers
    findings = scene.Judge();
  }
  Scene scene;
  std::vector<Finding> findings;
};

constexpr uint32_t kWritersFirst = ledger::kInitSeen | ledger::kPreferWriterNonrecursive;

TEST_F(ReadAgain, BehindAWaitingWriterIsADeadlockIfWritersGoFirst) {
  Play(kWritersFirst, false);
  ASSERT_EQ(findings.size(), 1u);
  EXPECT_EQ(findings[0].kind, FindingKind::kDeadlock);
  EXPECT_EQ(findings[0].confidence, Confidence::kProven);
  EXPECT_NE(findings[0].story[0].find("behind thread 'writer'"), std::string::npos);
}

TEST_F(ReadAgain, BehindAWaitingWriterIsNoneIfReadersGoFirst) {
  Play(ledger::kInitSeen, false);
  EXPECT_TRUE(findings.empty());
}

TEST_F(ReadAgain, BehindAWriterThatGivesUpIsNone) {
  Play(kWritersFirst, true);
  EXPECT_TRUE(findings.empty());
}

}  // namespace
}  // namespace lockwarden
