// What a reader may see at each step of an acquire, a release and a wait. The other side
// looks from inside the step (the seam is the real call), so each order is met every time.
#include <functional>

#include "runtime/this_clock.h"
#include "tests/runtime/fake_lock.h"
#include "tests/runtime/small_ledger.h"

namespace lockwarden::ledger {
namespace {

class PublicationTest : public SmallLedger {
 protected:
  PackedRef Waiting() { return Me().frame0.wait.wait; }
  bool Holds(FakeLock* lock) {
    for (const uint32_t index : IndexesHeldBy(Me())) {
      if (index == IndexOf(FindLock(lock))) return true;
    }
    return false;
  }
};

TEST_F(PublicationTest, DuringTheAcquireTheWaitIsPublishedAndTheLockIsNotHeld) {
  FakeLock lock;
  for (const uint32_t taken : {0u, 1u}) {  // with the short and with the long form of a wait
    lock.taken = taken;
    bool looked = false;
    Acquire(&lock, [&] {
      looked = true;
      EXPECT_EQ(IndexOf(Waiting()), IndexOf(FindLock(&lock)));
      EXPECT_EQ(ModeOf(Waiting()), Mode::kExclusive);
      EXPECT_FALSE(Holds(&lock));
      return true;
    });
    EXPECT_TRUE(looked);
    EXPECT_EQ(Waiting(), 0u);
    EXPECT_TRUE(Holds(&lock));
    Release(&lock);
  }
}

TEST_F(PublicationTest, AtTheReleaseTheEntryIsGoneBeforeTheLockIs) {
  FakeLock lock, above;
  Acquire(&lock);
  Release(&lock, [&] { EXPECT_FALSE(Holds(&lock)); });
  Acquire(&lock);
  Acquire(&above);
  Release(&lock, [&] {  // not the newest: the slow way
    EXPECT_FALSE(Holds(&lock));
    EXPECT_TRUE(Holds(&above));
  });
}

TEST_F(PublicationTest, ATryPublishesNoWait) {
  FakeLock lock;
  lock.taken = 1;
  Acquire(&lock, [&] {
    EXPECT_EQ(Waiting(), 0u);
    return true;
  }, kTry);
}

TEST_F(PublicationTest, ATimedAcquireSaysThatItsWaitIsTimed) {
  FakeLock lock;
  Acquire(&lock, [&] {
    EXPECT_NE(Waiting() & kTimed, 0u);
    return false;
  }, kTimed);
  EXPECT_EQ(Waiting(), 0u);
}

TEST_F(PublicationTest, TheRelockOfARecursiveLockIsNoWait) {
  FakeLock lock;
  Acquire<FakeRecursive>(&lock);
  lock.taken = 1;
  Acquire<FakeRecursive>(&lock, [&] {
    EXPECT_EQ(Waiting(), 0u);
    return true;
  });
}

TEST_F(PublicationTest, TheRelockOfALockThatIsNotRecursiveIsAWaitForOneself) {
  FakeLock lock;
  Acquire(&lock);
  lock.taken = 1;
  Acquire(&lock, [&] {
    EXPECT_EQ(IndexOf(Waiting()), IndexOf(FindLock(&lock)));
    EXPECT_TRUE(Holds(&lock));
    return false;
  });
}

TEST_F(PublicationTest, AWaitForATakenLockHasDetailsAndIsCounted) {
  FakeLock lock;
  lock.taken = 1;
  Acquire(&lock, [&] {
    EXPECT_EQ(Me().frame0.wait.object, reinterpret_cast<uint64_t>(&lock));
    EXPECT_NE(Me().frame0.wait.since_ns, 0u);
    EXPECT_NE(Me().frame0.wait.site, 0u);
    return true;
  });
  EXPECT_EQ(Me().contentions, 1u);
  EXPECT_EQ(CountedFor(LockAt(IndexOf(FindLock(&lock))).lock_class).contentions, 1u);
  // A later wait, published without details, must not show these.
  EXPECT_EQ(Me().frame0.wait.object, 0u);
  EXPECT_EQ(Me().frame0.wait.since_ns, 0u);
}

TEST_F(PublicationTest, TheTimeThatAWaitTookIsAddedToTheThreadAndToTheLocksOfItsClass) {
  FakeLock lock, flag, condition;
  const auto until_the_clock_moves = [](bool acquired) {
    const uint64_t begin = MonotonicNs();
    while (MonotonicNs() == begin) continue;
    return acquired;
  };
  const auto waited_for = [&](FakeLock* which) -> uint64_t {
    return CountedFor(LockAt(IndexOf(FindLock(which))).lock_class).wait_ns;
  };
  Acquire(&lock, [&] { return until_the_clock_moves(true); });
  EXPECT_EQ(waited_for(&lock), 0u) << "it looked free, so no clock was read";
  lock.taken = 1;
  Acquire(&lock, [&] { return until_the_clock_moves(true); });
  const uint64_t once = waited_for(&lock);
  EXPECT_GT(once, 0u);
  Acquire(&lock, [&] { return until_the_clock_moves(false); }, kTimed);
  EXPECT_GT(waited_for(&lock), once) << "a wait that gave up was one, too";
  InScope(LOCKWARDEN_CFA, [] { return false; }, [&](const auto& scope) {
    const LockUse use =
        IdentifyLock(scope.record(), &flag, FakeMutex::Describe, 1, scope.cfa());
    PlainWait wait(scope, use.ref | static_cast<uint8_t>(Mode::kExclusive), &flag, 0, 1);
    return until_the_clock_moves(true);
  });
  EXPECT_GT(waited_for(&flag), 0u);
  EXPECT_EQ(Me().wait_ns, waited_for(&lock) + waited_for(&flag));
  InScope(LOCKWARDEN_CFA, [] { return false; }, [&](const auto& scope) {
    const LockUse use =
        IdentifyLock(scope.record(), &condition, FakeCondition::Describe, 2, scope.cfa());
    PlainWait wait(scope, use.ref | static_cast<uint8_t>(Mode::kSignal), &condition, 0, 2);
    return until_the_clock_moves(true);
  });
  EXPECT_EQ(waited_for(&condition), 0u) << "no wait for a lock";
  const uint64_t before = Me().wait_ns;
  EXPECT_GT(before, waited_for(&lock) + waited_for(&flag)) << "but one of the thread's";
  InScope(LOCKWARDEN_CFA, [] { return false; }, [&](const auto& scope) {
    const uint32_t slot = IndexOf(FindLock(&lock));  // of a thread, here
    PlainWait wait(scope, Pack(slot, 1, static_cast<uint8_t>(Mode::kJoin)), &lock, 0, 1);
    return until_the_clock_moves(true);
  });
  EXPECT_GT(Me().wait_ns, before);
  EXPECT_LE(waited_for(&lock) + waited_for(&flag), before) << "a join waits for no lock";
}

// The lock was let go of while the thread prepared to wait for it.
TEST_F(PublicationTest, ALockThatWasTakenForAMomentIsCountedButNeedsNoDetails) {
  FakeLock lock;
  lock.taken_looks = 1;
  Acquire(&lock, [&] {
    EXPECT_EQ(IndexOf(Waiting()), IndexOf(FindLock(&lock)));
    EXPECT_EQ(Me().frame0.wait.since_ns, 0u);
    return true;
  });
  EXPECT_EQ(Me().contentions, 1u);
  EXPECT_TRUE(Holds(&lock));
}

// What a reader compares between its two collects.
TEST_F(PublicationTest, EveryWaitThatEndsMovesACounter) {
  FakeLock lock;
  const auto counters = [&] { return Me().acquisitions + Me().waits; };
  for (const uint32_t taken : {0u, 1u}) {
    lock.taken = taken;
    uint64_t during = 0;
    const auto note = [&](bool acquired) { return during = counters(), acquired; };
    Acquire(&lock, [&] { return note(true); });
    EXPECT_NE(counters(), during);
    Release(&lock);
    Acquire(&lock, [&] { return note(false); });
    EXPECT_NE(counters(), during);
    Acquire<FakeSemaphore>(&lock, [&] { return note(true); });
    EXPECT_NE(counters(), during);
    Post(&lock);
  }
}

TEST_F(PublicationTest, AWaitForSomethingThatIsNotAcquiredLeavesNothingBehind) {
  FakeLock condition;
  uint64_t waits = 0;
  InScope(LOCKWARDEN_CFA, [] { return 0; }, [&](const auto& scope) {
    {
      PlainWait wait(scope, Pack(3, 4, static_cast<uint8_t>(Mode::kSignal)), &condition, 77, 88);
      EXPECT_EQ(ModeOf(Waiting()), Mode::kSignal);
      EXPECT_EQ(Me().frame0.wait.peer, 77u);
      EXPECT_EQ(Me().frame0.wait.site, 88u);
      waits = Me().waits;
    }
    EXPECT_EQ(Waiting(), 0u);
    EXPECT_EQ(Me().frame0.wait.peer, 0u);
    EXPECT_NE(Me().waits, waits);
    return 0;
  });
}

TEST_F(PublicationTest, AConditionWaitGivesBackWhatItTook) {
  FakeLock mutex;
  Acquire(&mutex);
  InScope(LOCKWARDEN_CFA, [] { return 0; }, [&](const auto& scope) {
    const PackedRef held = RecordRelease(scope, &mutex);
    EXPECT_FALSE(Holds(&mutex));
    RestoreHeld(scope, held, 1);
    return 0;
  });
  EXPECT_TRUE(Holds(&mutex));
  EXPECT_NE(Release(&mutex), 0u);
  EXPECT_FALSE(Holds(&mutex));
}

}  // namespace
}  // namespace lockwarden::ledger
