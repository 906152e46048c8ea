// Holds that are timed and waits that are counted: that each ends where it should, and that the
// few which are timed say what all of them would.
#include "runtime/hold_timer.h"

#include <gtest/gtest.h>

#include <cmath>
#include <numeric>

#include "tests/runtime/fake_lock.h"
#include "tests/runtime/small_ledger.h"

namespace lockwarden::ledger {
namespace {

constexpr uint64_t kMs = 1'000'000;

class HoldTimerTest : public SmallLedger {
 protected:
  HoldTimerTest() { Me().frame0.time_at = 0; }  // the next hold

  LockTimes& TimesOf(const FakeLock* lock) {
    const uint32_t lock_class = LockAt(IndexOf(FindLock(lock))).lock_class;
    EXPECT_NE(lock_class, 0u);
    return TheLedger().Table<LockClassRecord>(kClasses)[lock_class - 1].times;
  }
  static uint64_t Sum(const std::atomic<uint32_t> (&buckets)[kTimeBuckets]) {
    return std::accumulate(std::begin(buckets), std::end(buckets), uint64_t{0});
  }
  bool IsTimed(uint32_t place) { return (Me().held[place].depth & kHoldTimed) != 0; }

  // One hold on a clock of the test's, as the hooks record it.
  void Hold(PackedRef ref, uint64_t duration_ns) {
    ThreadRecord& me = Me();
    WriteHold(&me, 0, 0, WithMode(ref, static_cast<uint8_t>(Mode::kExclusive)), 0x4000, 0);
    const uint64_t acquisitions = CountAcquisition(&me);
    me.frame0.held_count = 1;
    if (IsTimeToTime(&me, acquisitions)) {
      TimeNewestHold(&me, 0, now_ns_);
      ++timed_;
    }
    now_ns_ += duration_ns;
    if (IsTimed(0)) EndTimedHold(&me, me.held[0].lock, now_ns_);
    me.held[0].depth = 0;
    me.frame0.held_count = 0;
  }

  uint64_t now_ns_ = 1000 * kMs;
  int timed_ = 0;
};

TEST_F(HoldTimerTest, ATimedHoldIsReleasedTheGeneralWayAndCountedOnce) {
  FakeLock lock;
  Acquire(&lock);
  ASSERT_TRUE(IsTimed(0));
  EXPECT_FALSE(ReleaseTop(&lock));
  EXPECT_NE(Release(&lock), 0u);
  EXPECT_EQ(Me().frame0.held_count, 0u);
  EXPECT_EQ(Sum(TimesOf(&lock).holds), 1u);
  EXPECT_FALSE(IsTimed(0));  // for the next hold there
  EXPECT_EQ(Sum(TimesOf(&lock).waits), 0u);
}

TEST_F(HoldTimerTest, ARecursiveLockIsTimedFromTheFirstLevelToTheLast) {
  FakeLock lock;
  for (int level = 0; level < 3; ++level) Acquire<FakeRecursive>(&lock);
  for (int level = 0; level < 3; ++level) {
    EXPECT_EQ(Sum(TimesOf(&lock).holds), 0u);
    EXPECT_NE(Release(&lock), 0u);
  }
  EXPECT_EQ(Sum(TimesOf(&lock).holds), 1u);
  EXPECT_EQ(Release(&lock), 0u);
}

TEST_F(HoldTimerTest, AHoldThatIsReleasedBeforeANewerOneKeepsTheOthersMark) {
  FakeLock older, newer;
  Acquire(&older);
  Me().frame0.time_at = 0;
  Acquire(&newer);
  ASSERT_TRUE(IsTimed(0) && IsTimed(1));
  Release(&older);
  EXPECT_TRUE(IsTimed(0));  // the newer one, moved down
  EXPECT_EQ(Sum(TimesOf(&older).holds), 1u);
  Release(&newer);
  EXPECT_EQ(Sum(TimesOf(&newer).holds), 1u);
}

TEST_F(HoldTimerTest, AUnitOfASemaphoreIsNotTimed) {
  FakeLock semaphore;
  Acquire<FakeSemaphore>(&semaphore);
  EXPECT_FALSE(IsTimed(0));
  EXPECT_NE(Me().frame0.time_at, 0u);  // another one has been chosen
}

TEST_F(HoldTimerTest, MoreLongHoldsThanThereIsRoomForTakeNewerOnesOver) {
  FakeLock locks[12];
  for (FakeLock& lock : locks) {
    Me().frame0.time_at = 0;
    Acquire(&lock);
  }
  for (FakeLock& lock : locks) EXPECT_NE(Release(&lock), 0u);
  EXPECT_EQ(Me().frame0.held_count, 0u);
  // One site, one class.
  EXPECT_EQ(Sum(TimesOf(&locks[0]).holds), std::size(Me().hold_timer.holds));
}

TEST_F(HoldTimerTest, AWaitThatEndsIsCountedAndAnIdleOneIsNone) {
  FakeLock lock;
  lock.taken = 1;
  Acquire(&lock);
  EXPECT_EQ(Sum(TimesOf(&lock).waits), 1u);
  // Units that others post: to wait for one is to have nothing to do.
  FakeLock work;
  work.taken = 1;
  Acquire<FakeSemaphore>(&work);
  EXPECT_EQ(Sum(TimesOf(&work).waits), 0u);
  EXPECT_EQ(TimeBucket(1000), 0u);
  EXPECT_EQ(TimeBucket(1001), 1u);
  EXPECT_EQ(TimeBucket(100'000'000'000), kTimeBounds - 1);
  EXPECT_EQ(TimeBucket(~uint64_t{0}), kTimeBounds);
}

TEST_F(HoldTimerTest, OfAThreadWithFewLocksEachHoldIsTimed) {
  FakeLock lock;
  Acquire(&lock);
  Release(&lock);
  const PackedRef ref = FindLock(&lock);
  LockTimes& times = TimesOf(&lock);
  for (std::atomic<uint32_t>& count : times.holds) count = 0;
  Me().hold_timer = HoldTimer();
  Me().hold_timer.chosen_at = 1;
  Me().frame0.time_at = 0;
  for (int i = 0; i < 100; ++i) Hold(ref, i == 50 ? 500 * kMs : 2 * kMs);
  EXPECT_EQ(timed_, 100);
  EXPECT_EQ(times.holds[TimeBucket(500 * kMs)], 1u);
  EXPECT_EQ(times.holds[TimeBucket(2 * kMs)], 99u);
}

// Two locks in turn, so that choosing every 512th would always meet the same one; one hold of
// the second in ten is long. Half a million acquisitions a second.
TEST_F(HoldTimerTest, OfABusyThreadTheTimedOnesSayWhatAllOfThemWould) {
  FakeLock first, second;
  Acquire(&first);
  Acquire(&second);
  Release(&second);
  Release(&first);
  const PackedRef first_ref = FindLock(&first), second_ref = FindLock(&second);
  ASSERT_NE(&TimesOf(&first), &TimesOf(&second));
  constexpr int kRounds = 1'000'000;
  for (int i = 0; i < kRounds; ++i) {
    Hold(first_ref, 500);
    Hold(second_ref, i % 10 == 0 ? 20'000 : 1'500);
  }
  // docs/metrics.md: 1 / sqrt(n); four times that.
  const auto expect_about = [&](uint64_t counted, double truth) {
    const double timed = timed_ * truth / (2.0 * kRounds);
    EXPECT_NEAR(static_cast<double>(counted) / truth, 1, 4 / std::sqrt(timed)) << truth;
  };
  LockTimes &a = TimesOf(&first), &b = TimesOf(&second);
  EXPECT_GT(timed_, 2 * kRounds / static_cast<int>(kMostPerTimedHold) / 2);
  EXPECT_LT(timed_, 2 * kRounds / 50);  // it is an estimate
  expect_about(Sum(a.holds), kRounds);
  expect_about(a.holds[TimeBucket(500)], kRounds);
  expect_about(b.holds[TimeBucket(1'500)], kRounds * 0.9);
  expect_about(b.holds[TimeBucket(20'000)], kRounds * 0.1);
  // Together they stand for all of them, but for those since the last one.
  EXPECT_GT(Sum(a.holds) + Sum(b.holds), 2u * kRounds - 2 * kMostPerTimedHold);
  EXPECT_LE(Sum(a.holds) + Sum(b.holds), 2u * kRounds + 2);
}

}  // namespace
}  // namespace lockwarden::ledger
