// The shortest way through the library's own locks: when it is taken, that it records what the
// general way does, and that where it is not taken nothing has happened.
#include "runtime/known_lock.h"

#include <gtest/gtest.h>

#include <memory>
#include <new>
#include <thread>

#include "lockwarden/lockwarden.h"
#include "runtime/shared_word.h"

namespace lockwarden {
namespace {

using namespace ledger;  // NOLINT: what is tested

class KnownLockTest : public testing::Test {
 protected:
  KnownLockTest() {
    Learn(held_);  // registers this thread
    wants_before_ = linked_wants.exchange(0);
  }
  ~KnownLockTest() override { linked_wants = wants_before_; }

  template <class L>
  static void Learn(L& lock) {
    lock.lock();
    lock.unlock();
    // No hold that follows is timed: that would be the general way's.
    Me().frame0.time_at = static_cast<uint32_t>(Me().acquisitions) + (1u << 30);
  }
  template <class Format = OwnLock>
  static bool Acquire(void* lock) {
    return AcquireKnownFurther<Format>(lock, /*site=*/1, LOCKWARDEN_CFA);
  }
  template <class Format = OwnLock>
  static bool Release(void* lock) {
    return ReleaseKnown<Format>(lock);
  }
  static ThreadRecord& Me() { return *this_thread.record; }
  static uint32_t Held() { return Me().frame0.held_count; }

  Lock lock_, held_;

 private:
  uint32_t wants_before_;
};

TEST_F(KnownLockTest, ItIsForLocksThatTheThreadHasTakenBefore) {
  EXPECT_FALSE(Acquire(&lock_));
  EXPECT_FALSE(lock_.locked());
  Learn(lock_);
  const uint64_t acquisitions = Me().acquisitions;
  EXPECT_TRUE(Acquire(&lock_));
  EXPECT_TRUE(lock_.locked());
  EXPECT_EQ(Held(), 1u);
  EXPECT_EQ(IndexOf(Me().held[0].lock), IndexOf(FindLock(&lock_)));
  EXPECT_EQ(ModeOf(Me().held[0].lock), Mode::kExclusive);
  EXPECT_EQ(Me().held[0].site, 1u);
  EXPECT_EQ(Me().acquisitions, acquisitions + 1);
  EXPECT_EQ(Me().frame0.wait.wait, 0u);
  EXPECT_TRUE(Release(&lock_));
  EXPECT_FALSE(lock_.locked());
  EXPECT_EQ(Held(), 0u);
}

TEST_F(KnownLockTest, AnotherLifeAtTheAddressIsNotKnown) {
  alignas(Lock) unsigned char memory[sizeof(Lock)];
  Lock* lock = new (memory) Lock;
  Learn(*lock);
  std::destroy_at(lock);
  lock = new (memory) Lock;
  EXPECT_FALSE(Acquire(lock));
  EXPECT_FALSE(lock->locked());
  std::destroy_at(lock);
}

TEST_F(KnownLockTest, WhatAnotherThreadHoldsIsLeftAlone) {
  Learn(lock_);
  std::thread([this] { lock_.lock(); }).join();
  linked_wants = 0;  // that thread has learned the settings
  EXPECT_FALSE(Acquire(&lock_));
  EXPECT_EQ(Held(), 0u);
  EXPECT_EQ(this_thread.busy, 0u);
  EXPECT_FALSE(Release(&lock_));
  EXPECT_TRUE(lock_.locked());
  EXPECT_FALSE(lock_.try_lock());
}

TEST_F(KnownLockTest, NothingIsDoneWithinAHook) {
  Learn(lock_);
  this_thread.busy = ThisThread::kInRuntime;
  EXPECT_FALSE(Acquire(&lock_));
  this_thread.busy = 0;
  ASSERT_TRUE(Acquire(&lock_));
  this_thread.busy = ThisThread::kInRuntime;
  EXPECT_FALSE(Release(&lock_));
  this_thread.busy = 0;
  EXPECT_TRUE(Release(&lock_));
}

TEST_F(KnownLockTest, AThreadThatIsNotRegisteredTakesTheGeneralWay) {
  Learn(lock_);
  std::thread([this] {
    EXPECT_FALSE(Acquire(&lock_));
    Learn(lock_);
    linked_wants = 0;  // the settings have been learned anew
    EXPECT_TRUE(Acquire(&lock_));
    EXPECT_TRUE(Release(&lock_));
  }).join();
}

TEST_F(KnownLockTest, AnOrderThatIsNewIsNotKnown) {
  for (Lock* lock : {&lock_, &held_}) Learn(*lock);
  linked_wants = kWantsOrder;
  ASSERT_TRUE(Acquire(&held_));
  EXPECT_FALSE(Acquire(&lock_));
  const PackedRef ref = LookUpLock(&Me(), &lock_).ref | static_cast<PackedRef>(Mode::kExclusive);
  const uint64_t order = HeldHash(&Me(), 0, ref);
  EXPECT_EQ(HashOfOrder(&Me(), 1, ref), order);
  RecordOrderSlow(&Me(), 0, {ref, 1, LOCKWARDEN_CFA}, order);
  EXPECT_TRUE(Acquire(&lock_));
  EXPECT_EQ(Held(), 2u);
  EXPECT_FALSE(Release(&held_));  // not the newest
  EXPECT_TRUE(Release(&lock_));
  EXPECT_TRUE(Release(&held_));
}

TEST_F(KnownLockTest, AReaderIsTakenOnceAndReleasedAsSuch) {
  SharedLock lock;
  lock.lock_shared();
  lock.unlock_shared();
  Learn(held_);
  ASSERT_TRUE(Acquire<OwnShared>(&lock));
  EXPECT_FALSE(Acquire<OwnShared>(&lock));
  EXPECT_EQ(Held(), 1u);
  EXPECT_FALSE(Release<OwnExclusive>(&lock));
  EXPECT_TRUE(Release<OwnShared>(&lock));
  EXPECT_FALSE(lock.locked());
  ASSERT_TRUE(Acquire(&held_));
  EXPECT_TRUE(Acquire<OwnShared>(&lock));  // beside other locks, too
  EXPECT_TRUE(Release<OwnShared>(&lock));
  EXPECT_TRUE(Release(&held_));
}

TEST_F(KnownLockTest, WhoMayUpgradeDoesNotReadBesides) {
  SharedLock lock;
  lock.lock_upgrade();
  EXPECT_FALSE(Acquire<OwnShared>(&lock));
  EXPECT_FALSE(Acquire<OwnExclusive>(&lock));
  EXPECT_FALSE(Acquire<OwnUpgrade>(&lock));
  lock.unlock_upgrade();
  EXPECT_TRUE(Acquire<OwnUpgrade>(&lock));
  EXPECT_TRUE(Release<OwnUpgrade>(&lock));
  EXPECT_TRUE(Acquire<OwnExclusive>(&lock));
  EXPECT_TRUE(Release<OwnExclusive>(&lock));
}

TEST_F(KnownLockTest, DeclaredOrdersAreLookedAtFirst) {
  Learn(lock_);
  Learn(held_);
  const OrderPolicy before = order_policy();
  set_order_policy(OrderPolicy::kThrow);
  Lock& low = lock_.id() < held_.id() ? lock_ : held_;
  Lock& high = &low == &lock_ ? held_ : lock_;
  high.lock();
  EXPECT_THROW(low.lock(), LockOrderViolation);
  high.unlock();
  set_order_policy(before);
}

}  // namespace
}  // namespace lockwarden
