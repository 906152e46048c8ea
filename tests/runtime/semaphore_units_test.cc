// Units of semaphores: held by the thread that waited until it posts, by nobody once threads
// hand them over, and forgotten with the semaphore.
#include "runtime/semaphore_units.h"

#include <thread>

#include "tests/runtime/fake_lock.h"
#include "tests/runtime/small_ledger.h"

namespace lockwarden::ledger {
namespace {

class SemaphoreUnitsTest : public SmallLedger {
 protected:
  void Wait(FakeLock* semaphore) { Acquire<FakeSemaphore>(semaphore); }
  LockRecord& Record(FakeLock* semaphore) { return LockAt(IndexOf(FindLock(semaphore))); }
};

TEST_F(SemaphoreUnitsTest, AUnitIsHeldUntilItsThreadPosts) {
  FakeLock semaphore;
  Wait(&semaphore);
  ASSERT_EQ(HeldBy(Me()).size(), 1u);
  EXPECT_EQ(HeldBy(Me())[0].mode, Mode::kUnit);
  Post(&semaphore);
  EXPECT_TRUE(HeldBy(Me()).empty());
  EXPECT_EQ(Record(&semaphore).own_releases, 1u);
  EXPECT_EQ(Record(&semaphore).foreign_releases, 0u);
}

TEST_F(SemaphoreUnitsTest, ManyUnitsAreOneEntryThatCountsThem) {
  FakeLock semaphore;
  for (int i = 0; i < 1000; ++i) Wait(&semaphore);
  ASSERT_EQ(HeldBy(Me()).size(), 1u);
  EXPECT_EQ(HeldBy(Me())[0].depth, 999u);
  for (int i = 0; i < 1000; ++i) Post(&semaphore);
  EXPECT_TRUE(HeldBy(Me()).empty());
  EXPECT_EQ(Record(&semaphore).foreign_releases, 0u);
}

TEST_F(SemaphoreUnitsTest, APostByAnotherThreadShowsAHandOverAndLaterUnitsAreNotHeld) {
  FakeLock semaphore, other;
  std::thread([&] { Post(&semaphore); }).join();
  EXPECT_EQ(Record(&semaphore).foreign_releases, 1u);
  Wait(&semaphore);
  EXPECT_TRUE(HeldBy(Me()).empty());
  EXPECT_EQ(Me().acquisitions, 1u);
  Wait(&other);
  EXPECT_EQ(HeldBy(Me()).size(), 1u);
}

TEST_F(SemaphoreUnitsTest, AUnitTakenBeforeTheHandOverShowedIsForgottenAtTheNextWait) {
  FakeLock semaphore, other;
  Wait(&semaphore);
  std::thread([&] { Post(&semaphore); }).join();
  Wait(&other);
  EXPECT_EQ(IndexesHeldBy(Me()), (std::vector<uint32_t>{IndexOf(FindLock(&other))}));
}

TEST_F(SemaphoreUnitsTest, TheUnitsOfADestroyedSemaphoreAreForgotten) {
  FakeLock semaphore, other;
  Create<FakeSemaphore>(&semaphore);
  Wait(&semaphore);
  Wait(&semaphore);
  Destroy(&semaphore);
  Wait(&other);
  EXPECT_EQ(IndexesHeldBy(Me()), (std::vector<uint32_t>{IndexOf(FindLock(&other))}));
}

TEST_F(SemaphoreUnitsTest, AUnitOfAnEarlierLifeIsNotPostedInTheNext) {
  FakeLock semaphore;
  Create<FakeSemaphore>(&semaphore);
  Wait(&semaphore);
  Destroy(&semaphore);
  Create<FakeSemaphore>(&semaphore);
  Post(&semaphore);
  EXPECT_EQ(Record(&semaphore).foreign_releases, 1u);
  EXPECT_EQ(Record(&semaphore).own_releases, 0u);
}

// What is forgotten must not be the entry that the unit just taken is counted in.
TEST_F(SemaphoreUnitsTest, ForgettingOneSemaphoreDoesNotMiscountAnother) {
  FakeLock stale, used, mutex;
  Create<FakeSemaphore>(&stale);
  Wait(&stale);
  Wait(&used);
  Destroy(&stale);
  Wait(&used);
  ASSERT_EQ(HeldBy(Me()).size(), 1u);
  EXPECT_EQ(HeldBy(Me())[0].depth, 1u);
  Acquire(&mutex);
  EXPECT_EQ(HeldBy(Me()).at(1).depth, 0u);
  Release(&mutex);
  EXPECT_EQ(HeldBy(Me()).size(), 1u) << "a lock that is not held is said to be";
  Post(&used);
  Post(&used);
  EXPECT_TRUE(HeldBy(Me()).empty());
}

TEST_F(SemaphoreUnitsTest, TheNewestUnitIsReleasedWithoutAFrameOnceItIsKnownToBeALock) {
  FakeLock semaphore, other;
  Create<FakeSemaphore>(&semaphore);
  EXPECT_FALSE(ReleaseTopUnit(&semaphore));  // nothing is held
  Wait(&semaphore);
  EXPECT_FALSE(ReleaseTopUnit(&semaphore));  // nothing shows yet that it is used as a lock
  Post(&semaphore);
  Wait(&semaphore);
  EXPECT_FALSE(ReleaseTopUnit(&other));
  EXPECT_TRUE(ReleaseTopUnit(&semaphore));
  EXPECT_TRUE(HeldBy(Me()).empty());
  Wait(&semaphore);
  Wait(&semaphore);
  EXPECT_FALSE(ReleaseTopUnit(&semaphore));  // held twice
  Post(&semaphore);
  EXPECT_TRUE(ReleaseTopUnit(&semaphore));
  Wait(&semaphore);
  Wait(&other);
  EXPECT_FALSE(ReleaseTopUnit(&semaphore));  // not the newest
  Post(&other);
  Destroy(&semaphore);
  EXPECT_FALSE(ReleaseTopUnit(&semaphore));  // a unit of a life that has ended
}

TEST_F(SemaphoreUnitsTest, TheSemaphoreOfAFullLockTableIsLeftAlone) {
  EXPECT_FALSE(HoldsUnits(Place(Scope<FirstFrame>(&Me(), LOCKWARDEN_CFA, {})), 0));
}

}  // namespace
}  // namespace lockwarden::ledger
