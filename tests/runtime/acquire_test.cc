// acquire(): several locks in one order, once each, released in reverse, whatever happens.
#include "lockwarden/acquire.h"

#include <gtest/gtest.h>

#include <stdexcept>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

#include "lockwarden/lockwarden.h"
#include "runtime/gate.h"

namespace lockwarden {
namespace {

// Writes down what is done to it; may refuse.
class Noted {
 public:
  Noted(uint64_t id, std::vector<int>* log, bool refuses = false)
      : id_(id), log_(log), refuses_(refuses) {}
  uint64_t id() const { return id_; }
  void lock() {
    if (refuses_) throw std::runtime_error("refused");
    log_->push_back(static_cast<int>(id_));
  }
  void unlock() { log_->push_back(-static_cast<int>(id_)); }
  // Shared, in hundreds.
  void lock_shared() { log_->push_back(100 * static_cast<int>(id_)); }
  void unlock_shared() { log_->push_back(-100 * static_cast<int>(id_)); }

 private:
  uint64_t id_;
  std::vector<int>* log_;
  bool refuses_;
};

TEST(AcquireTest, TakesInAscendingOrderOfIdsAndReleasesInReverse) {
  std::vector<int> log;
  Noted a(1, &log), b(2, &log), c(3, &log);
  {
    auto held = acquire(c, a, b);
    EXPECT_EQ(log, (std::vector<int>{1, 2, 3}));
  }
  EXPECT_EQ(log, (std::vector<int>{1, 2, 3, -3, -2, -1}));
}

TEST(AcquireTest, TheSameLockGivenTwiceIsTakenOnce) {
  std::vector<int> log;
  Noted a(1, &log), b(2, &log);
  { auto held = acquire(a, b, a, b, b); }
  EXPECT_EQ(log, (std::vector<int>{1, 2, -2, -1}));
}

TEST(AcquireTest, WhenOneRefusesThoseTakenAreReleased) {
  std::vector<int> log;
  Noted a(1, &log), b(2, &log), refusing(3, &log, true), d(4, &log);
  EXPECT_THROW(static_cast<void>(acquire(d, refusing, b, a)), std::runtime_error);
  EXPECT_EQ(log, (std::vector<int>{1, 2, -2, -1}));
}

TEST(AcquireTest, ReleaseMayComeEarlyAndOnlyOnce) {
  std::vector<int> log;
  Noted a(1, &log), b(2, &log);
  {
    auto held = acquire(a, b);
    held.release();
    EXPECT_EQ(log, (std::vector<int>{1, 2, -2, -1}));
  }
  EXPECT_EQ(log.size(), 4u);
}

TEST(AcquireTest, WhatIsMovedIsReleasedByItsNewOwnerOnly) {
  std::vector<int> log;
  Noted a(1, &log);
  {
    auto first = acquire(a);
    auto second = std::move(first);
    first.release();  // has nothing any more
    EXPECT_EQ(log, (std::vector<int>{1}));
  }
  EXPECT_EQ(log, (std::vector<int>{1, -1}));
}

TEST(AcquireTest, OfNoLocksItHoldsNothing) { auto held = acquire(); }

TEST(AcquireTest, LocksOfBothTypesGoTogether) {
  Lock lock;
  RLock rlock;
  {
    auto held = acquire(rlock, lock);
    EXPECT_TRUE(lock.locked());
    EXPECT_TRUE(rlock.locked());
  }
  EXPECT_FALSE(lock.locked());
  EXPECT_FALSE(rlock.locked());
}

TEST(AcquireTest, AnOwnerThatAcquiresAgainKeepsWhatItHadAndGivesBackTheRest) {
  Lock outer, inner;
  static_cast<void>(inner.id());  // the lower one: taken first
  outer.lock();
  EXPECT_THROW(static_cast<void>(acquire(outer, inner)), std::system_error);
  EXPECT_TRUE(outer.locked());
  EXPECT_FALSE(inner.locked());
  outer.unlock();
}

TEST(AcquireTest, SharedModesAreKeptAndTheExclusiveOneWinsOfTheSameLock) {
  std::vector<int> log;
  Noted a(1, &log), b(2, &log), c(3, &log);
  { auto held = acquire(c, shared(a), shared(b), b); }
  EXPECT_EQ(log, (std::vector<int>{100, 2, 3, -3, -2, -100}));
}

TEST(AcquireTest, ARangeMayHoldLocksOrPointersOrSharedOnes) {
  std::vector<int> log;
  std::vector<Noted> locks = {{3, &log}, {1, &log}};
  { auto held = acquire(locks); }
  EXPECT_EQ(log, (std::vector<int>{1, 3, -3, -1}));
  log.clear();
  Noted a(1, &log), b(2, &log), refusing(3, &log, true);
  { auto held = acquire(std::vector<Noted*>{&b, &a, &b}); }
  { auto held = acquire(std::vector<Shared<Noted>>{shared(b), shared(a)}); }
  EXPECT_EQ(log, (std::vector<int>{1, 2, -2, -1, 100, 200, -200, -100}));
  log.clear();
  EXPECT_THROW(static_cast<void>(acquire(std::vector<Noted*>{&refusing, &a})), std::runtime_error);
  EXPECT_EQ(log, (std::vector<int>{1, -1}));
  { auto held = acquire(std::vector<Lock*>{}); }
}

LockClass upper("upper", {.rank = 2}), lower("lower", {.rank = 1});

TEST(AcquireTest, RanksComeBeforeIds) {
  set_order_policy(OrderPolicy::kThrow);
  Lock above(upper), below(lower), unranked;
  static_cast<void>(above.id());
  { auto held = acquire(above, below); }  // each lock by itself would be refused otherwise
  { auto held = acquire(above, unranked, below); }
  set_order_policy(OrderPolicy::kDefault);
}

uint32_t Records() {
  return ledger::TheLedger().header().tables[ledger::kMisuse].used.load();
}

TEST(AcquireTest, SetsNestUpwardsOnly) {
  Lock a, b, c, d;
  for (Lock* lock : {&a, &b, &c, &d}) static_cast<void>(lock->id());
  const auto outer = acquire(b);
  const uint32_t before = Records();
  { auto inner = acquire(d, c); }
  EXPECT_EQ(Records(), before);
  for (int i = 0; i < 3; ++i) auto inner = acquire(d, a);
  EXPECT_EQ(Records(), before + 1);  // once, although it is taken one by one and three times
  set_order_policy(OrderPolicy::kThrow);
  EXPECT_THROW(static_cast<void>(acquire(d, a)), LockOrderViolation);
  EXPECT_FALSE(a.locked() || d.locked());
  EXPECT_TRUE(b.locked());
  set_order_policy(OrderPolicy::kOff);
  { auto inner = acquire(d, a); }
  set_order_policy(OrderPolicy::kDefault);
}

TEST(AcquireTest, WhatIsHeldAlreadyAndMayBeTakenAgainIsNoPartOfTheNesting) {
  set_order_policy(OrderPolicy::kThrow);
  RLock a;
  Lock b, c;
  static_cast<void>(a.id());
  static_cast<void>(b.id());
  const auto outer = acquire(a, b);
  { auto inner = acquire(c, a); }
  EXPECT_TRUE(a.locked());
  set_order_policy(OrderPolicy::kDefault);
}

TEST(AcquireTest, ThreadsThatTakeTheSameLocksInAnyOrderDoNotDeadlock) {
  constexpr int kRounds = 5000;
  Lock a, b, c;
  int count = 0;
  const auto run = [&](Lock* x, Lock* y, Lock* z) {
    for (int i = 0; i < kRounds; ++i) {
      auto held = acquire(*x, *y, *z);
      ++count;
    }
  };
  std::thread one(run, &a, &b, &c), two(run, &c, &a, &b), three(run, &b, &c, &a);
  one.join();
  two.join();
  three.join();
  EXPECT_EQ(count, 3 * kRounds);
}

}  // namespace
}  // namespace lockwarden
