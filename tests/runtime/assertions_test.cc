// Assertions about what the calling thread holds, and scopes in which it must hold nothing.
#include "lockwarden/assertions.h"

#include <gtest/gtest.h>

#include <mutex>
#include <shared_mutex>
#include <thread>

#include "lockwarden/lockwarden.h"
#include "runtime/gate.h"

namespace lockwarden {
namespace {

class AssertionsTest : public testing::Test {
 protected:
  AssertionsTest() { testing::FLAGS_gtest_death_test_style = "threadsafe"; }
  Lock lock_{"balance"};
  RLock rlock_;
};
using AssertionsDeathTest = AssertionsTest;

TEST_F(AssertionsTest, WhatIsSoIsLetPass) {
  assert_not_held(lock_);
  const std::lock_guard guard(lock_);
  const std::lock_guard again(rlock_);
  assert_held(lock_);
  assert_held_shared(lock_);
  rlock_.lock();
  rlock_.unlock();
  assert_held(rlock_);
  std::thread([&] {
    assert_not_held(lock_);
    assert_not_held(rlock_);
  }).join();
}

TEST_F(AssertionsDeathTest, WhatIsNotSoEndsTheProcessWithALine) {
  EXPECT_DEATH(assert_held(lock_), "assert_held: lock [0-9]+ \"balance\" is not held");
  EXPECT_DEATH(assert_held_shared(rlock_), "assert_held_shared: lock [0-9]+ is not held");
  EXPECT_DEATH(
      {
        lock_.lock();
        assert_not_held(lock_);
      },
      "assert_not_held: lock [0-9]+ \"balance\" is held by this thread");
  EXPECT_DEATH(
      {
        lock_.lock();
        std::thread([&] { assert_held(lock_); }).join();
      },
      "\"balance\" is not held");
}

// More than a held list has room for: what is not recorded is held all the same.
TEST_F(AssertionsTest, AHoldThatWasNotRecordedIsNotDenied) {
  constexpr int kMany = 300;
  std::thread([] {
    Lock locks[kMany];
    SharedLock tables[kMany];
    for (Lock& lock : locks) lock.lock();
    for (SharedLock& table : tables) table.lock_shared();
    for (Lock& lock : locks) assert_held(lock);
    for (SharedLock& table : tables) assert_held_shared(table);
    for (SharedLock& table : tables) table.unlock_shared();
    for (Lock& lock : locks) lock.unlock();
  }).join();
}

TEST_F(AssertionsTest, SharedModesAreToldApart) {
  SharedLock table;
  assert_not_held(table);
  {
    const std::shared_lock reading(table);
    assert_held_shared(table);
    EXPECT_DEATH(assert_held(table), "is not held exclusively");
    std::thread([&] { assert_not_held(table); }).join();
  }
  table.lock_upgrade();
  assert_held_shared(table);
  table.unlock_upgrade_and_lock();
  assert_held(table);
  table.unlock();
  EXPECT_DEATH(assert_held_shared(table), "is not held");
}

uint32_t Records() { return ledger::TheLedger().header().tables[ledger::kMisuse].used.load(); }

TEST_F(AssertionsTest, AScopeIsEnteredAndLeftWithNothingHeld) {
  { const std::lock_guard guard(lock_); }
  const uint32_t before = Records();
  {
    const NoLocksAllowed scope;
    const std::lock_guard inside(lock_);
  }
  EXPECT_EQ(Records(), before);
  {
    const std::lock_guard guard(lock_);
    const NoLocksAllowed scope;
  }
  EXPECT_EQ(Records(), before + 2);  // at its beginning and at its end
  {
    const NoLocksAllowed scope;
    lock_.lock();
  }
  lock_.unlock();
  EXPECT_EQ(Records(), before + 3);
}

TEST_F(AssertionsTest, ThePolicySaysWhatBecomesOfIt) {
  const std::lock_guard guard(lock_);
  const uint32_t before = Records();
  set_order_policy(OrderPolicy::kOff);
  { const NoLocksAllowed scope; }
  EXPECT_EQ(Records(), before);
  set_order_policy(OrderPolicy::kThrow);
  EXPECT_THROW({ const NoLocksAllowed scope; }, LockOrderViolation);
  set_order_policy(OrderPolicy::kDefault);
}

}  // namespace
}  // namespace lockwarden
