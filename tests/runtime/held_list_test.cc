// The held list: what a thread is said to hold, in order, out of order, recursively, beyond
// its capacity, and when other threads break the rules.
#include <array>
#include <random>

#include "tests/runtime/fake_lock.h"
#include "tests/runtime/small_ledger.h"

namespace lockwarden::ledger {
namespace {

class HeldListTest : public SmallLedger {
 protected:
  uint32_t IndexOfLock(FakeLock* lock) { return IndexOf(FindLock(lock)); }
  std::vector<uint32_t> Held() { return IndexesHeldBy(Me()); }
};

TEST_F(HeldListTest, LocksReleasedInReverseOrderLeaveNothing) {
  std::array<FakeLock, 5> locks;
  for (FakeLock& lock : locks) Acquire(&lock);
  EXPECT_EQ(Held().size(), 5u);
  for (auto lock = locks.rbegin(); lock != locks.rend(); ++lock) {
    EXPECT_EQ(IndexOf(Release(&*lock)), IndexOfLock(&*lock));
  }
  EXPECT_TRUE(Held().empty());
  EXPECT_EQ(Me().acquisitions, 5u);
}

TEST_F(HeldListTest, ALockReleasedOutOfOrderLeavesTheOthersInTheirOrder) {
  std::array<FakeLock, 3> locks;
  for (FakeLock& lock : locks) Acquire(&lock);
  Release(&locks[0]);
  EXPECT_EQ(Held(), (std::vector<uint32_t>{IndexOfLock(&locks[1]), IndexOfLock(&locks[2])}));
  Release(&locks[1]);
  EXPECT_EQ(Held(), (std::vector<uint32_t>{IndexOfLock(&locks[2])}));
  Release(&locks[2]);
  EXPECT_TRUE(Held().empty());
}

TEST_F(HeldListTest, AgreesWithANaiveListOnRandomAcquiresAndReleases) {
  std::array<FakeLock, 40> locks;
  for (FakeLock& lock : locks) Create(&lock);
  for (const unsigned seed : {1u, 2u, 3u}) {
    std::mt19937 random(seed);
    std::vector<uint32_t> twin;
    for (int step = 0; step < 5000; ++step) {
      FakeLock* lock = &locks[random() % locks.size()];
      const auto known = std::find(twin.begin(), twin.end(), IndexOfLock(lock));
      if (known == twin.end()) {
        Acquire(lock);
        twin.push_back(IndexOfLock(lock));
      } else {
        Release(lock);
        twin.erase(known);
      }
      ASSERT_EQ(Held(), twin);
    }
    for (FakeLock& lock : locks) Release(&lock);
  }
}

TEST_F(HeldListTest, ARecursiveLockIsOneEntryThatCountsItsLevels) {
  FakeLock lock, other;
  Acquire<FakeRecursive>(&lock);
  Acquire(&other);
  Acquire<FakeRecursive>(&lock);
  Acquire<FakeRecursive>(&lock);
  auto held = HeldBy(Me());
  ASSERT_EQ(held.size(), 2u);
  EXPECT_EQ(held[0].depth, 2u);
  Release(&lock);
  Release(&lock);
  EXPECT_EQ(HeldBy(Me())[0].depth, 0u);
  Release(&lock);
  EXPECT_EQ(Held(), (std::vector<uint32_t>{IndexOfLock(&other)}));
  Release(&other);
  // The next lock in the recursive one's place begins at depth 0.
  Acquire(&other);
  EXPECT_EQ(HeldBy(Me())[0].depth, 0u);
  EXPECT_NE(Release(&other), 0u);
  EXPECT_TRUE(Held().empty());
}

TEST_F(HeldListTest, AReaderThatLocksTwiceHoldsUntilBothAreReleased) {
  FakeLock lock;
  Acquire<FakeReader>(&lock);
  Acquire<FakeReader>(&lock);
  Release(&lock);
  ASSERT_EQ(HeldBy(Me()).size(), 1u);
  EXPECT_EQ(HeldBy(Me())[0].mode, Mode::kShared);
  Release(&lock);
  EXPECT_TRUE(Held().empty());
}

TEST_F(HeldListTest, AFailedAcquireIsNotHeld) {
  FakeLock lock;
  Acquire(&lock, Refuse{});
  Acquire(&lock, Refuse{}, kTry);
  Acquire(&lock, Refuse{}, kTimed);
  EXPECT_TRUE(Held().empty());
  EXPECT_EQ(Me().acquisitions, 0u);
}

TEST_F(HeldListTest, ModeBitsSayHowItWasAcquired) {
  FakeLock a, b;
  Acquire(&a, Succeed{}, kTry);
  Acquire<FakeWriter>(&b, Succeed{}, kTimed);
  const auto held = HeldBy(Me());
  ASSERT_EQ(held.size(), 2u);
  EXPECT_EQ(held[0].mode_bits & kTry, kTry);
  EXPECT_EQ(held[1].mode_bits & kTimed, kTimed);
}

TEST_F(HeldListTest, LocksBeyondTheCapacityAreCountedAndTheirReleasesHarmNothing) {
  constexpr size_t kMore = 20;
  std::vector<FakeLock> locks(kHeldCapacity[0] + kMore);
  for (FakeLock& lock : locks) Acquire(&lock);
  EXPECT_EQ(Held().size(), kHeldCapacity[0]);
  EXPECT_EQ(Me().held_dropped, kMore);
  EXPECT_EQ(Me().acquisitions, locks.size());
  // First those that were dropped, then some from the middle, then the rest.
  for (size_t i = kHeldCapacity[0]; i < locks.size(); ++i) EXPECT_EQ(Release(&locks[i]), 0u);
  EXPECT_EQ(Held().size(), kHeldCapacity[0]);
  for (size_t i = 0; i < kHeldCapacity[0]; i += 2) EXPECT_NE(Release(&locks[i]), 0u);
  for (size_t i = 1; i < kHeldCapacity[0]; i += 2) EXPECT_NE(Release(&locks[i]), 0u);
  EXPECT_TRUE(Held().empty());
}

TEST_F(HeldListTest, AReleaseOfWhatWasNeverRecordedIsCountedAndHarmless) {
  FakeLock known, unknown;
  Acquire(&known);
  EXPECT_EQ(Release(&unknown), 0u);
  EXPECT_EQ(Me().unknown_releases, 1u);
  EXPECT_EQ(Held().size(), 1u);
}

// A mutex that one thread locks and another one unlocks, again and again, as a signal.
TEST_F(HeldListTest, AMutexThatOthersUnlockDoesNotFillTheList) {
  FakeLock signal, real;
  Acquire(&real);
  for (uint32_t i = 0; i < 3 * kHeldCapacity[0]; ++i) Acquire(&signal);
  EXPECT_EQ(Me().held_dropped, 0u);
  EXPECT_EQ(Held()[0], IndexOfLock(&real));
  EXPECT_NE(Release(&real), 0u);
}

TEST_F(HeldListTest, LocksWhoseMemoryWasReusedWhileHeldDoNotFillTheList) {
  std::vector<FakeLock> locks(kHeldCapacity[0]);
  for (FakeLock& lock : locks) {
    Create(&lock);
    Acquire(&lock);
    Create(&lock);  // a new life: the old one was never released
  }
  FakeLock another;
  Acquire(&another);
  EXPECT_EQ(Me().held_dropped, 0u);
  EXPECT_EQ(Held(), (std::vector<uint32_t>{IndexOfLock(&another)}));
}

TEST_F(HeldListTest, ARecursiveLockRebornWhileHeldBeginsAtOneLevel) {
  FakeLock lock;
  Create<FakeRecursive>(&lock);
  Acquire<FakeRecursive>(&lock);
  Create<FakeRecursive>(&lock);
  Acquire<FakeRecursive>(&lock);
  const PackedRef life = FindLock(&lock);
  int present = 0;
  for (const auto& held : HeldBy(Me())) {
    if (held.generation != GenerationOf(life)) continue;
    ++present;
    EXPECT_EQ(held.depth, 0u);
  }
  EXPECT_EQ(present, 1);
}

}  // namespace
}  // namespace lockwarden::ledger
