// Verdicts about lockwarden::SharedLock: who has the seat, who reads, and what its word and the
// kernel must say. The layout is in runtime/lock_word.h.
#include <gtest/gtest.h>

#include "runtime/lock_word.h"
#include "tests/watchdog/scene.h"

namespace lockwarden {
namespace {

using ledger::Mode;

class SharedLockDeadlockTest : public testing::Test {
 protected:
  using Ref = Scene::Ref;
  SharedLockDeadlockTest() : x(scene.Thread("x")), y(scene.Thread("y")), m(scene.Mutex()) {
    scene.Thread("runs");
    s = scene.book.AddLock(ledger::LockKind::kSharedLock, kAddress, 0);
    scene.kernel.Clear(kAddress, 24);
  }

  static Ref As(Ref lock, Mode mode, uint8_t bits = 0) {
    return ledger::WithMode(lock, static_cast<uint8_t>(static_cast<uint8_t>(mode) | bits));
  }
  // Seat: a thread, or kNobody.
  static constexpr uint32_t kNobody = ~0u;
  void Word(uint32_t seat, uint32_t readers, bool closed) {
    scene.kernel.SetWord(kAddress, seat == kNobody ? 0 : scene.TidOf(seat));
    scene.kernel.SetWord(kAddress + 4, readers | (closed ? ledger::kReadersClosed : 0));
  }
  void Hold(uint32_t thread, Mode mode) { scene.book.Hold(thread, As(s, mode), 0x4010); }
  void WaitFor(uint32_t thread, Mode mode, uint64_t offset, bool timed = false) {
    scene.book.BeginWait(thread, As(s, mode, timed ? ledger::kTimed : 0), kAddress, 0x4020);
    scene.kernel.SleepOn(scene.TidOf(thread), kAddress + offset, timed);
  }
  std::vector<Finding> Deadlocks() { return Only(scene.Judge(), FindingKind::kDeadlock); }
  void ExpectProven() {
    const auto findings = Deadlocks();
    ASSERT_EQ(findings.size(), 1u);
    EXPECT_EQ(findings[0].confidence, Confidence::kProven);
    EXPECT_EQ(findings[0].locks.size(), locks_told);
    story = findings[0].story[0];
  }

  static constexpr uint64_t kAddress = 0x800000;
  static constexpr uint64_t kSeat = 0, kReaders = 4;  // what is slept on
  Scene scene;
  const uint32_t x, y;
  const Ref m;
  Ref s;
  size_t locks_told = 2;
  std::string story;
};

TEST_F(SharedLockDeadlockTest, AWriterBehindAWriterThatWaitsForItIsProven) {
  Hold(x, Mode::kExclusive);
  Word(x, 0, true);
  scene.Take(y, m);
  scene.Block(x, m);
  WaitFor(y, Mode::kExclusive, kSeat);
  ExpectProven();
}

TEST_F(SharedLockDeadlockTest, AReaderBehindAWriterThatWaitsForItIsProven) {
  Hold(x, Mode::kExclusive);
  Word(x, 0, true);
  scene.Take(y, m);
  scene.Block(x, m);
  WaitFor(y, Mode::kShared, kReaders);
  ExpectProven();
}

TEST_F(SharedLockDeadlockTest, AWriterBehindAReaderThatWaitsForItIsProven) {
  Hold(x, Mode::kShared);
  scene.Take(y, m);
  scene.Block(x, m);
  WaitFor(y, Mode::kExclusive, kReaders);
  Word(y, 1, true);
  ExpectProven();
}

TEST_F(SharedLockDeadlockTest, AnUpgradeBehindAReaderThatWaitsForItIsProven) {
  Hold(x, Mode::kShared);
  Hold(y, Mode::kUpgrade);
  scene.Take(y, m);
  scene.Block(x, m);
  WaitFor(y, Mode::kExclusive, kReaders);
  Word(y, 1, true);
  ExpectProven();
}

TEST_F(SharedLockDeadlockTest, AnUpgraderBehindAnUpgraderThatWaitsForItIsProven) {
  Hold(x, Mode::kUpgrade);
  scene.Take(y, m);
  scene.Block(x, m);
  WaitFor(y, Mode::kUpgrade, kSeat);
  Word(x, 0, false);
  ExpectProven();
}

TEST_F(SharedLockDeadlockTest, AReaderThatReadsAgainBehindAWriterIsProven) {
  Hold(x, Mode::kShared);
  WaitFor(y, Mode::kExclusive, kReaders);
  WaitFor(x, Mode::kShared, kReaders);
  Word(y, 1, true);
  locks_told = 1;
  ExpectProven();
  EXPECT_NE(story.find("behind thread 'y'"), std::string::npos) << story;
}

TEST_F(SharedLockDeadlockTest, MoreReadersInTheWordThanWereRecordedMakeItStrong) {
  Hold(x, Mode::kShared);
  scene.Take(y, m);
  scene.Block(x, m);
  WaitFor(y, Mode::kExclusive, kReaders);
  Word(y, 2, true);
  const auto findings = Deadlocks();
  ASSERT_EQ(findings.size(), 1u);
  EXPECT_EQ(findings[0].confidence, Confidence::kStrong);
}

// From here on: one thing of a true deadlock is otherwise.

TEST_F(SharedLockDeadlockTest, AReaderThatNothingKeepsOutIsNone) {
  Hold(x, Mode::kUpgrade);
  scene.Take(y, m);
  scene.Block(x, m);
  WaitFor(y, Mode::kShared, kReaders);
  Word(x, 0, false);  // it was closed when the wait began
  EXPECT_TRUE(Deadlocks().empty());
}

TEST_F(SharedLockDeadlockTest, AWriterBehindAReaderThatRunsIsNone) {
  Hold(x, Mode::kShared);
  scene.Take(y, m);
  WaitFor(y, Mode::kExclusive, kReaders);
  Word(y, 1, true);
  EXPECT_TRUE(Deadlocks().empty());
}

TEST_F(SharedLockDeadlockTest, AWordThatNamesAnotherOrNobodyContradicts) {
  Hold(x, Mode::kExclusive);
  scene.Take(y, m);
  scene.Block(x, m);
  WaitFor(y, Mode::kExclusive, kSeat);
  Word(kNobody, 0, false);
  EXPECT_TRUE(Deadlocks().empty());
  scene.kernel.SetWord(kAddress, 102);  // "runs"
  EXPECT_TRUE(Only(scene.Step(Scene::kStart + 10 * Scene::kConfirm), FindingKind::kDeadlock).empty());
}

TEST_F(SharedLockDeadlockTest, FewerReadersInTheWordThanWereRecordedContradict) {
  Hold(x, Mode::kShared);
  scene.Take(y, m);
  scene.Block(x, m);
  WaitFor(y, Mode::kExclusive, kReaders);
  Word(y, 0, true);
  EXPECT_TRUE(Deadlocks().empty());
}

TEST_F(SharedLockDeadlockTest, BehindAWriterThatGivesUpIsNone) {
  Hold(x, Mode::kShared);
  WaitFor(y, Mode::kExclusive, kReaders, /*timed=*/true);
  WaitFor(x, Mode::kShared, kReaders);
  Word(y, 1, true);
  EXPECT_TRUE(Deadlocks().empty());
}

TEST_F(SharedLockDeadlockTest, ASleepOnAnotherWordContradicts) {
  Hold(x, Mode::kExclusive);
  Word(x, 0, true);
  scene.Take(y, m);
  scene.Block(x, m);
  WaitFor(y, Mode::kExclusive, 8);
  EXPECT_TRUE(Deadlocks().empty());
}

TEST_F(SharedLockDeadlockTest, MemoryThatCannotBeReadSaysNothing) {
  Hold(x, Mode::kExclusive);
  scene.Take(y, m);
  scene.Block(x, m);
  WaitFor(y, Mode::kExclusive, kSeat);
  scene.kernel.memory.erase(kAddress);
  EXPECT_TRUE(Deadlocks().empty());
}

}  // namespace
}  // namespace lockwarden
