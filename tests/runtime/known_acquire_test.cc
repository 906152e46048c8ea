// The shortest way through an acquire: when it may be taken, that it publishes what the
// general way does, and the release that needs no frame.
#include "runtime/known_acquire.h"

#include <algorithm>
#include <random>
#include <thread>
#include <vector>

#include "tests/runtime/fake_lock.h"
#include "tests/runtime/small_ledger.h"

namespace lockwarden::ledger {
namespace {

// One call site and one stack depth for both ways.
template <class Object = FakeMutex, uint8_t kBits = 0, class Real = Succeed>
__attribute__((noinline)) bool AcquireFast(FakeLock* lock, bool* known, Real real = {}) {
  const uint64_t site = LOCKWARDEN_SITE;
  return InScope(
      LOCKWARDEN_CFA, [] { return false; },
      [&](const auto& scope) {
        *known = LookUpAcquire<Object, Look::kFurther, kBits>(scope, lock, site).cached != nullptr;
        return Acquire<Object, kBits>(
                   scope, lock, site, [&] { return real() ? 0 : 1; },
                   [](int rc) { return rc == 0; }) == 0;
      });
}

// Call sites only: each line of a test is another stack.
class KnownAcquireTest : public SmallLedger {
 protected:
  KnownAcquireTest() { the_settings.stacks = StackMode::kSite; }
  ~KnownAcquireTest() override { the_settings = before_; }

  template <class Object = FakeMutex, uint8_t kBits = 0, class Real = Succeed>
  __attribute__((noinline)) bool IsKnown(FakeLock* lock, Real real = {}) {
    bool known = false;
    AcquireFast<Object, kBits>(lock, &known, real);
    return known;
  }

 private:
  const Settings before_ = the_settings;
};

TEST_F(KnownAcquireTest, AStackThatIsNewIsNot) {
  the_settings.stacks = StackMode::kFull;
  FakeLock lock;
  const auto from_one_place = [&] {
    const bool known = IsKnown(&lock);
    ReleaseTop(&lock);
    return known;
  };
  for (int round = 0; round < 2; ++round) EXPECT_EQ(from_one_place(), round == 1);
  EXPECT_FALSE(from_one_place());
}

TEST_F(KnownAcquireTest, TheSecondTimeIsKnown) {
  FakeLock lock;
  EXPECT_FALSE(IsKnown(&lock));
  EXPECT_TRUE(ReleaseTop(&lock));
  EXPECT_TRUE(IsKnown(&lock));
  EXPECT_EQ(HeldBy(Me()).size(), 1u);
  EXPECT_EQ(Me().acquisitions, 2u);
}

TEST_F(KnownAcquireTest, ALockThatLooksTakenIsNot) {
  FakeLock lock;
  IsKnown(&lock);
  ReleaseTop(&lock);
  lock.taken = 1;
  EXPECT_FALSE(IsKnown(&lock));
  EXPECT_EQ(Me().contentions, 1u);
}

TEST_F(KnownAcquireTest, AnotherLifeAtTheAddressIsNot) {
  FakeLock lock;
  IsKnown(&lock);
  ReleaseTop(&lock);
  Destroy(&lock);
  EXPECT_FALSE(IsKnown(&lock));
}

TEST_F(KnownAcquireTest, AnOrderThatIsNewIsNot) {
  FakeLock a, b;
  for (FakeLock* lock : {&a, &b}) {
    IsKnown(lock);
    ReleaseTop(lock);
  }
  EXPECT_TRUE(IsKnown(&a));
  EXPECT_FALSE(IsKnown(&b));
  EXPECT_EQ(Used(kEdges), 1u);
  ReleaseTop(&b);
  EXPECT_TRUE(IsKnown(&b));
}

// A second hold is counted in the first one's entry, which only the general way looks for.
TEST_F(KnownAcquireTest, WhatIsHeldAlreadyIsNot) {
  FakeLock recursive, rwlock;
  for (int round = 0; round < 2; ++round) {
    EXPECT_EQ(IsKnown<FakeRecursive>(&recursive), round == 1);
    EXPECT_FALSE(IsKnown<FakeRecursive>(&recursive));
    EXPECT_FALSE(ReleaseTop(&recursive));  // held twice
    Release(&recursive);
    EXPECT_TRUE(ReleaseTop(&recursive));
    EXPECT_EQ(IsKnown<FakeReader>(&rwlock), round == 1);
    EXPECT_FALSE(IsKnown<FakeReader>(&rwlock));
    EXPECT_EQ(HeldBy(Me()).size(), 1u);
    Release(&rwlock);
    EXPECT_TRUE(ReleaseTop(&rwlock));
  }
}

TEST_F(KnownAcquireTest, WhatMayBeHeldTwiceIsAlsoInsideAnother) {
  FakeLock outer, rwlock, semaphore;
  IsKnown<FakeReader>(&outer);
  for (int round = 0; round < 3; ++round) {
    EXPECT_EQ(IsKnown<FakeReader>(&rwlock), round != 0);
    EXPECT_EQ(IsKnown<FakeSemaphore>(&semaphore), round != 0);
    EXPECT_EQ(HeldBy(Me()).size(), 3u);
    Post(&semaphore);
    EXPECT_TRUE(ReleaseTop(&rwlock));
  }
}

TEST_F(KnownAcquireTest, AFullListIsNot) {
  std::vector<FakeLock> locks(kHeldCapacity[0] + 1);
  for (int round = 0; round < 2; ++round) {
    for (FakeLock& lock : locks) IsKnown(&lock);
    EXPECT_EQ(HeldBy(Me()).size(), kHeldCapacity[0]);
    for (size_t i = kHeldCapacity[0]; i-- > 0;) EXPECT_TRUE(ReleaseTop(&locks[i]));
  }
  EXPECT_EQ(Me().held_dropped, 2u);
}

TEST_F(KnownAcquireTest, WhileItBlocksTheEntryAboveTheHoldsSaysWhere) {
  the_settings.stacks = StackMode::kFull;
  FakeLock outer, lock;
  IsKnown(&outer);
  for (const bool known : {false, true}) {
    bool was = !known;
    AcquireFast(&lock, &was, [&] {
      const Frame& frame = Me().frame0;
      EXPECT_EQ(frame.wait.since_ns, 0u);
      EXPECT_EQ(frame.held_count, 1u);
      const HeldEntry& entry = Me().held[frame.held_count];
      EXPECT_EQ(entry.lock, frame.wait.wait);
      EXPECT_NE(entry.site, 0u);
      EXPECT_NE(entry.stack, 0u);
      return true;
    });
    EXPECT_EQ(Me().frame0.wait.wait, 0u);
    ReleaseTop(&lock);
    // From the same call site again: the loop's.
    EXPECT_EQ(was, known);
  }
}

TEST_F(KnownAcquireTest, ARefusalIsNotHeldAndMovesACounter) {
  FakeLock lock;
  IsKnown(&lock);
  ReleaseTop(&lock);
  const uint64_t before = Me().waits;
  EXPECT_TRUE(IsKnown(&lock, Refuse{}));
  EXPECT_TRUE(HeldBy(Me()).empty());
  EXPECT_EQ(Me().frame0.wait.wait, 0u);
  EXPECT_NE(Me().waits, before);
}

TEST_F(KnownAcquireTest, OnlyTheNewestHoldIsReleasedWithoutAFrame) {
  FakeLock a, b, never;
  EXPECT_FALSE(ReleaseTop(&a));
  Acquire(&a);
  Acquire(&b);
  EXPECT_FALSE(ReleaseTop(&a));
  EXPECT_FALSE(ReleaseTop(&never));
  EXPECT_TRUE(ReleaseTop(&b));
  EXPECT_TRUE(ReleaseTop(&a));
  EXPECT_TRUE(HeldBy(Me()).empty());
}

// A whole hook, as pthread_mutex_lock is.
template <class Object = FakeMutex, uint8_t kBits = 0, class Real = Succeed>
__attribute__((noinline)) bool Hook(FakeLock* lock, Real real = {}) {
  return AcquireHook<Object, kBits>(
             lock, LOCKWARDEN_CFA, LOCKWARDEN_SITE, [&] { return real() ? 0 : 1; },
             [](int rc) { return rc == 0; }) == 0;
}

TEST_F(KnownAcquireTest, ATryNeitherWaitsNorOrders) {
  FakeLock outer, lock;
  Hook(&outer);
  for (int round = 0; round < 3; ++round) {
    lock.taken = round == 2;  // a try needs no free lock to be known
    EXPECT_TRUE((Hook<FakeMutex, kTry>(&lock, [&] { return Me().frame0.wait.wait == 0; })));
    ASSERT_EQ(HeldBy(Me()).size(), 2u);
    EXPECT_EQ(HeldBy(Me())[1].mode_bits & ~kModeMask, kTry);
    EXPECT_TRUE(ReleaseTop(&lock));
    const uint64_t waits = Me().waits;
    EXPECT_FALSE((Hook<FakeMutex, kTry>(&lock, Refuse{})));
    EXPECT_EQ(Me().waits, waits);
    EXPECT_EQ(HeldBy(Me()).size(), 1u);
  }
  EXPECT_EQ(Used(kEdges), 0u);
  EXPECT_EQ(Me().acquisitions, 4u);
  EXPECT_EQ(Me().contentions, 0u);
}

TEST_F(KnownAcquireTest, ATimeLimitIsSaidOfTheWaitAndOfTheHold) {
  FakeLock lock;
  for (int round = 0; round < 2; ++round) {
    const auto publishes = [&] { return (ModeBitsOf(Me().frame0.wait.wait) & kTimed) != 0; };
    EXPECT_TRUE((Hook<FakeMutex, kTimed>(&lock, publishes))) << round;
    EXPECT_EQ(HeldBy(Me()).at(0).mode_bits & ~kModeMask, kTimed);
    EXPECT_TRUE(ReleaseTop(&lock));
  }
}

TEST_F(KnownAcquireTest, AUnitIsHeldUntilItIsHandedOver) {
  FakeLock semaphore;
  for (int round = 0; round < 3; ++round) {
    Hook<FakeSemaphore>(&semaphore);
    ASSERT_EQ(HeldBy(Me()).size(), 1u);
    EXPECT_EQ(HeldBy(Me())[0].mode, Mode::kUnit);
    Post(&semaphore);
  }
  // Another thread posts while this one waits: the unit is not this thread's to give back.
  Hook<FakeSemaphore>(&semaphore, [&] {
    std::thread([&] { Post(&semaphore); }).join();
    return true;
  });
  EXPECT_TRUE(HeldBy(Me()).empty());
  Hook<FakeSemaphore>(&semaphore);
  EXPECT_TRUE(HeldBy(Me()).empty());
  EXPECT_EQ(Me().acquisitions, 5u);
}

TEST_F(KnownAcquireTest, UnitsThatNobodyWillReleaseAreForgottenHereToo) {
  FakeLock stale, used;
  for (int round = 0; round < 2; ++round) {
    Hook<FakeSemaphore>(&used);
    Post(&used);
  }
  Hook<FakeSemaphore>(&stale);
  std::thread([&] { Post(&stale); }).join();
  Hook<FakeSemaphore>(&used);
  EXPECT_EQ(IndexesHeldBy(Me()), std::vector<uint32_t>{IndexOf(FindLock(&used))});
}

TEST_F(KnownAcquireTest, TheHookPublishesTheSameWhetherItKnowsOrLearns) {
  the_settings.stacks = StackMode::kFull;
  FakeLock outer, lock;
  Hook(&outer);
  for (int round = 0; round < 3; ++round) {
    Hook(&lock, [&] {
      EXPECT_EQ(this_thread.Depth(), 1u);
      EXPECT_EQ(IndexOf(Me().frame0.wait.wait), IndexOf(FindLock(&lock)));
      EXPECT_EQ(HeldBy(Me()).size(), 1u);
      return true;
    });
    EXPECT_EQ(this_thread.Depth(), 0u);
    EXPECT_EQ(Me().frame0.wait.wait, 0u);
    EXPECT_EQ(IndexesHeldBy(Me()),
              (std::vector<uint32_t>{IndexOf(FindLock(&outer)), IndexOf(FindLock(&lock))}));
    EXPECT_EQ(Me().acquisitions, static_cast<uint64_t>(round + 2));
    EXPECT_TRUE(ReleaseTop(&lock));
  }
}

TEST_F(KnownAcquireTest, ARefusedHookHoldsNothingAndMovesACounter) {
  FakeLock lock;
  for (int round = 0; round < 3; ++round) {
    const uint64_t before = Me().waits;
    EXPECT_FALSE(Hook(&lock, Refuse{}));
    EXPECT_TRUE(HeldBy(Me()).empty());
    EXPECT_EQ(Me().frame0.wait.wait, 0u);
    EXPECT_NE(Me().waits, before);
    EXPECT_EQ(this_thread.Depth(), 0u);
  }
}

TEST_F(KnownAcquireTest, AHookInsideAHookWorksInTheNextFrame) {
  FakeLock waited, handlers;
  for (int round = 0; round < 3; ++round) {
    Hook(&waited, [&] {
      EXPECT_TRUE(Hook(&handlers));
      EXPECT_EQ(HeldBy(Me()).at(0).frame, 1u);
      EXPECT_FALSE(CanRecordAtOnce());
      Release(&handlers);
      return true;
    });
    EXPECT_TRUE(CanRecordAtOnce());
    EXPECT_EQ(IndexesHeldBy(Me()), std::vector<uint32_t>{IndexOf(FindLock(&waited))});
    EXPECT_TRUE(ReleaseTop(&waited));
  }
}

TEST_F(KnownAcquireTest, WhatWasLeftAboveAHookEndsWithIt) {
  FakeLock waited;
  Hook(&waited, [] {
    this_thread.sp_above[0] = LOCKWARDEN_CFA;  // a handler's hook, left by longjmp
    ++this_thread.busy;
    EXPECT_EQ(this_thread.Depth(), 2u);
    return true;
  });
  EXPECT_EQ(this_thread.Depth(), 0u);
  Hook(&waited, [] {
    EXPECT_EQ(this_thread.Depth(), 1u);
    return true;
  });
}

TEST_F(KnownAcquireTest, TheHookStepsAsideInsideTheRuntime) {
  FakeLock lock;
  Hook(&lock);
  ReleaseTop(&lock);
  this_thread.SetInRuntime(true);
  EXPECT_TRUE(Hook(&lock));
  EXPECT_TRUE(this_thread.InRuntime());
  this_thread.SetInRuntime(false);
  EXPECT_TRUE(HeldBy(Me()).empty());
  EXPECT_TRUE(CanRecordAtOnce());
}

// Both ways, on the same random acquires and releases, agree with a naive list.
TEST_F(KnownAcquireTest, AgreesWithTheGeneralWayOnRandomOperations) {
  std::mt19937 random(20);
  std::vector<FakeLock> locks(12);
  std::vector<FakeLock*> naive;
  for (int step = 0; step < 20000; ++step) {
    if (naive.size() < 8 && random() % 2 == 0) {
      FakeLock* lock = &locks[random() % locks.size()];
      if (std::find(naive.begin(), naive.end(), lock) != naive.end()) continue;
      const bool succeeds = random() % 8 != 0;
      if (random() % 4 == 0) {
        Acquire(lock, [=] { return succeeds; });
      } else if (random() % 2 == 0) {
        Hook(lock, [=] { return succeeds; });
      } else {
        IsKnown(lock, [=] { return succeeds; });
      }
      if (succeeds) naive.push_back(lock);
    } else if (!naive.empty()) {
      const size_t at = random() % 3 == 0 ? random() % naive.size() : naive.size() - 1;
      if (!ReleaseTop(naive[at])) Release(naive[at]);
      naive.erase(naive.begin() + static_cast<std::ptrdiff_t>(at));
    }
    std::vector<uint32_t> expected;
    for (FakeLock* lock : naive) expected.push_back(IndexOf(FindLock(lock)));
    ASSERT_EQ(IndexesHeldBy(Me()), expected) << step;
  }
}

}  // namespace
}  // namespace lockwarden::ledger
