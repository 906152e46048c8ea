// Every lock: what std's promise of an exclusive lock, and what these add.
#include <gtest/gtest.h>

#include <functional>
#include <mutex>
#include <system_error>
#include <thread>
#include <type_traits>
#include <vector>

#include "lockwarden/lockwarden.h"

namespace lockwarden {
namespace {

constinit Lock global_lock("global");
constinit RLock global_rlock;
constinit SharedLock global_shared_lock("shared");

template <class T>
class LockTypesTest : public testing::Test {};
using Types = testing::Types<Lock, RLock, SharedLock>;
TYPED_TEST_SUITE(LockTypesTest, Types);

template <class L>
bool OthersCanTake(L& lock) {
  bool taken = false;
  std::thread([&] {
    taken = lock.try_lock();
    if (taken) lock.unlock();
  }).join();
  return taken;
}

std::errc CodeOf(const std::function<void()>& call) {
  try {
    call();
  } catch (const std::system_error& error) {
    return static_cast<std::errc>(error.code().value());
  }
  return std::errc{};
}

TYPED_TEST(LockTypesTest, ItExcludesOthersWhileItIsHeld) {
  TypeParam lock;
  EXPECT_FALSE(lock.locked());
  lock.lock();
  EXPECT_TRUE(lock.locked());
  EXPECT_FALSE(OthersCanTake(lock));
  lock.unlock();
  EXPECT_FALSE(lock.locked());
  EXPECT_TRUE(OthersCanTake(lock));
}

TYPED_TEST(LockTypesTest, ATryFailsWhileAnotherThreadHoldsIt) {
  TypeParam lock;
  EXPECT_TRUE(lock.try_lock());
  EXPECT_FALSE(OthersCanTake(lock));
  lock.unlock();
}

TYPED_TEST(LockTypesTest, TheStandardsGuardsWork) {
  TypeParam a, b, c;
  { std::lock_guard guard(a); }
  { std::scoped_lock guard(a, b, c); }
  {
    std::unique_lock first(a, std::defer_lock), second(b, std::defer_lock);
    std::lock(first, second);
    EXPECT_TRUE(first.owns_lock());
  }
  {
    std::unique_lock tried(a, std::try_to_lock);
    EXPECT_TRUE(tried.owns_lock());
  }
  for (TypeParam* lock : {&a, &b, &c}) EXPECT_FALSE(lock->locked());
}

TYPED_TEST(LockTypesTest, UnlockingWhatOneDoesNotHoldIsRefused) {
  TypeParam lock;
  EXPECT_EQ(CodeOf([&] { lock.unlock(); }), std::errc::operation_not_permitted);
  lock.lock();
  std::thread([&] {
    EXPECT_EQ(CodeOf([&] { lock.unlock(); }), std::errc::operation_not_permitted);
  }).join();
  EXPECT_TRUE(lock.locked());
  lock.unlock();
  EXPECT_EQ(CodeOf([&] { lock.unlock(); }), std::errc::operation_not_permitted);
}

TYPED_TEST(LockTypesTest, NamesAreKeptAndIdsAreAscendingAndStable) {
  TypeParam named("accounts"), unnamed;
  EXPECT_STREQ(named.name(), "accounts");
  EXPECT_STREQ(unnamed.name(), "");
  const uint64_t first = named.id(), second = unnamed.id();
  EXPECT_GT(first, 0u);
  EXPECT_GT(second, first);
  EXPECT_EQ(named.id(), first);
}

TYPED_TEST(LockTypesTest, ThreadsThatAskAtOnceAgreeOnTheId) {
  for (int round = 0; round < 200; ++round) {
    TypeParam lock;
    uint64_t ids[2];
    std::thread other([&] { ids[1] = lock.id(); });
    ids[0] = lock.id();
    other.join();
    ASSERT_EQ(ids[0], ids[1]);
  }
}

TYPED_TEST(LockTypesTest, ItIsNeitherCopiedNorMoved) {
  EXPECT_FALSE(std::is_copy_constructible_v<TypeParam>);
  EXPECT_FALSE(std::is_move_constructible_v<TypeParam>);
  EXPECT_FALSE(std::is_copy_assignable_v<TypeParam>);
}

TYPED_TEST(LockTypesTest, ThreadsThatCountUnderItLoseNothing) {
  constexpr int kThreads = 4, kRounds = 20000;
  TypeParam lock;
  int64_t count = 0, checks = 0;  // plain: the lock is what makes them right
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < kRounds; ++i) {
        if (t == 0 && i % 16 == 0) {
          if (!lock.try_lock()) lock.lock();
        } else {
          lock.lock();
        }
        ++count;
        checks += count;
        checks -= count;
        lock.unlock();
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(count, int64_t{kThreads} * kRounds);
  EXPECT_EQ(checks, 0);
}

TEST(LockTest, AGlobalIsReadyBeforeMain) {
  std::scoped_lock guard(global_lock, global_rlock, global_shared_lock);
  EXPECT_STREQ(global_lock.name(), "global");
}

template <class T>
class PlainLockTest : public testing::Test {};
using PlainTypes = testing::Types<Lock, SharedLock>;
TYPED_TEST_SUITE(PlainLockTest, PlainTypes);

TYPED_TEST(PlainLockTest, ATryByTheOwnerIsRefused) {
  TypeParam lock;
  lock.lock();
  EXPECT_FALSE(lock.try_lock());
  lock.unlock();
}

TYPED_TEST(PlainLockTest, ASecondLockByTheOwnerThrowsInsteadOfHanging) {
  TypeParam lock;
  lock.lock();
  EXPECT_EQ(CodeOf([&] { lock.lock(); }), std::errc::resource_deadlock_would_occur);
  EXPECT_TRUE(lock.locked());
  lock.unlock();
  EXPECT_FALSE(lock.locked());
}

TEST(RLockTest, TheOwnerMayTakeItAgainAndOthersWaitForEveryLevel) {
  RLock lock;
  lock.lock();
  EXPECT_TRUE(lock.try_lock());
  lock.lock();
  for (int level = 0; level < 3; ++level) {
    EXPECT_FALSE(OthersCanTake(lock));
    lock.unlock();
  }
  EXPECT_TRUE(OthersCanTake(lock));
}

}  // namespace
}  // namespace lockwarden
