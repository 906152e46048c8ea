// Lock order of the linked types: which acquisition goes against it, under which policy, and
// how often it is written down. One thread: no order is ever raced for.
#include "lockwarden/order.h"

#include <gtest/gtest.h>

#include <chrono>
#include <mutex>
#include <string>
#include <system_error>

#include "lockwarden/lockwarden.h"
#include "runtime/gate.h"

namespace lockwarden {
namespace {

LockClass low("low", {.rank = 1}), high("high", {.rank = 2});
LockClass peers("peers", {.rank = 5, .unordered = true});
LockClass first("first"), second("second"), third("third");
LockClass strict("strict", {.policy = OrderPolicy::kThrow});
LockClass lenient("lenient", {.rank = 0, .policy = OrderPolicy::kOff});
LockTraits in_low_but_late("late", &low, 9);
constinit Lock global_low(low);

uint32_t Records() { return ledger::TheLedger().header().tables[ledger::kMisuse].used.load(); }

class OrderPolicyTest : public testing::Test {
 protected:
  OrderPolicyTest() {
    Lock begins_the_ledger;
    const std::lock_guard guard(begins_the_ledger);
  }
  ~OrderPolicyTest() override { set_order_policy(OrderPolicy::kDefault); }
};

// Gives them their ids, in this order.
void Number(Lock& earlier, Lock& later) {
  const uint64_t id = earlier.id();
  EXPECT_LT(id, later.id());
}

// Takes `outer`, then `inner`; whether the second one was refused.
template <class A, class B>
bool Refused(A& outer, B& inner) {
  const std::lock_guard guard(outer);
  try {
    inner.lock();
  } catch (const LockOrderViolation& violation) {
    EXPECT_EQ(violation.wanted_id(), inner.id());
    EXPECT_EQ(violation.held_id(), outer.id());
    EXPECT_FALSE(inner.locked());
    EXPECT_TRUE(outer.locked());
    return true;
  }
  inner.unlock();
  return false;
}

TEST_F(OrderPolicyTest, NamesClassesAndRanksAreWhatWasGiven) {
  Lock lock(in_low_but_late), plain, named("named");
  RLock rlock(high);
  EXPECT_STREQ(lock.name(), "late");
  EXPECT_EQ(lock.rank(), 9);
  EXPECT_STREQ(rlock.name(), "high");
  EXPECT_EQ(rlock.rank(), 2);
  EXPECT_EQ(plain.rank(), 0);
  EXPECT_STREQ(named.name(), "named");
  EXPECT_STREQ(global_low.name(), "low");
  const uint64_t id = lock.id();
  EXPECT_LT(id, 1u << 31);
  EXPECT_EQ(lock.id(), id);
  EXPECT_GT(plain.id(), id);
  const std::string longest(100, 'x');
  LockTraits cut(longest.c_str());
  EXPECT_EQ(std::string(cut.name()), longest.substr(0, LockTraits::kNameSize - 1));
}

TEST_F(OrderPolicyTest, ALockOfALowerRankIsRefusedAboveAHigherOne) {
  set_order_policy(OrderPolicy::kThrow);
  Lock below(low), above(high);
  RLock recursive(low);
  EXPECT_FALSE(Refused(below, above));
  EXPECT_TRUE(Refused(above, below));
  EXPECT_TRUE(Refused(above, recursive));
  Lock late(in_low_but_late);
  EXPECT_FALSE(Refused(above, late));
  EXPECT_TRUE(Refused(late, above));
}

TEST_F(OrderPolicyTest, OfEqualRanksTheIdDecidesUnlessTheClassIsUnordered) {
  set_order_policy(OrderPolicy::kThrow);
  Lock a(low), b(low), x(peers), y(peers);
  Number(a, b);
  EXPECT_FALSE(Refused(a, b));
  EXPECT_TRUE(Refused(b, a));
  Number(x, y);
  EXPECT_FALSE(Refused(x, y));
  EXPECT_FALSE(Refused(y, x));
  EXPECT_TRUE(Refused(x, a));  // but not out of the order of ranks
}

TEST_F(OrderPolicyTest, LocksWithoutRankAreComparedOnlyUnderAPolicy) {
  Lock a, b;
  Number(a, b);
  const uint32_t before = Records();
  EXPECT_FALSE(Refused(b, a));
  EXPECT_EQ(Records(), before);
  set_order_policy(OrderPolicy::kThrow);
  EXPECT_TRUE(Refused(b, a));
  EXPECT_FALSE(Refused(a, b));
  set_order_policy(OrderPolicy::kOff);
  EXPECT_FALSE(Refused(b, a));
}

TEST_F(OrderPolicyTest, DeclaredOrdersReachAlongOthersAndBeatIds) {
  order(second, third);
  order(first, second);
  EXPECT_TRUE(comes_before(first, third));
  EXPECT_FALSE(comes_before(third, first));
  EXPECT_THROW(order(third, first), std::system_error);
  EXPECT_THROW(order(first, first), std::system_error);
  Lock c(third), a(first);
  Number(c, a);
  set_order_policy(OrderPolicy::kThrow);
  EXPECT_TRUE(Refused(c, a));
  EXPECT_FALSE(Refused(a, c));
}

TEST_F(OrderPolicyTest, AClassesOwnPolicyGoesBeforeTheProcesss) {
  Lock a(strict), b(strict), exempt(lenient), above(high);
  Number(a, b);
  EXPECT_TRUE(Refused(b, a));
  set_order_policy(OrderPolicy::kOff);
  EXPECT_TRUE(Refused(b, a));
  strict.set_policy(OrderPolicy::kOff);
  EXPECT_FALSE(Refused(b, a));
  strict.set_policy(OrderPolicy::kThrow);
  set_order_policy(OrderPolicy::kThrow);
  EXPECT_FALSE(Refused(above, exempt));
}

TEST_F(OrderPolicyTest, ATryMayGoAgainstTheOrderAndARelockIsNoOrder) {
  set_order_policy(OrderPolicy::kThrow);
  Lock below(low), above(high);
  RLock recursive(low);
  above.lock();
  EXPECT_TRUE(below.try_lock());
  below.unlock();
  above.unlock();
  recursive.lock();
  above.lock();
  recursive.lock();
  recursive.unlock();
  above.unlock();
  recursive.unlock();
}

TEST_F(OrderPolicyTest, ASharedLockIsHeldToItInEveryMode) {
  set_order_policy(OrderPolicy::kThrow);
  SharedLock below(low), above(high);
  EXPECT_EQ(above.rank(), 2);
  above.lock_shared();
  assert_held_shared(above);
  EXPECT_THROW(below.lock_shared(), LockOrderViolation);
  EXPECT_THROW(below.lock_upgrade(), LockOrderViolation);
  EXPECT_THROW(static_cast<void>(acquire(shared(below))), LockOrderViolation);
  EXPECT_FALSE(below.locked());
  above.unlock_shared();
  { auto held = acquire(shared(above), below); }
}

// Two sites, whatever locks meet there.
__attribute__((noinline)) void TakeBoth(Lock& outer, Lock& inner) {
  outer.lock();
  inner.lock();
  inner.unlock();
  outer.unlock();
}

TEST_F(OrderPolicyTest, AViolationIsWrittenDownOnceForEachPairOfStacks) {
  Lock below(low), above(high), other_below(low);
  const uint32_t before = Records();
  Lock* const inner[] = {&below, &other_below};
#pragma GCC unroll 1  // one call site
  for (int i = 0; i < 6; ++i) TakeBoth(above, *inner[i % 2]);
  ASSERT_EQ(Records(), before + 1);
  const auto& record = ledger::TheLedger().Table<ledger::MisuseRecord>(ledger::kMisuse)[before];
  EXPECT_EQ(record.kind, static_cast<uint32_t>(ledger::MisuseKind::kOrderViolation));
  EXPECT_EQ(record.count, 6u);
  EXPECT_EQ(ledger::ModeBitsOf(record.lock), static_cast<uint8_t>(ledger::OrderRule::kRank));
  EXPECT_EQ(ledger::ModeOf(record.other_lock), ledger::Mode::kExclusive);
  EXPECT_NE(record.stack, 0u);
  EXPECT_NE(record.other_stack, 0u);
  EXPECT_NE(record.stack, record.other_stack);
  above.lock();
  below.lock();  // another pair
  below.unlock();
  above.unlock();
  EXPECT_EQ(Records(), before + 2);
  TakeBoth(above, below);  // the same two calls, behind another one
  EXPECT_EQ(Records(), before + 3);
}

TEST_F(OrderPolicyTest, AWaitEndsWithItsLockHeldWhateverIsHeldBesideIt) {
  set_order_policy(OrderPolicy::kThrow);
  Lock below(low), above(high);
  RLock again(low);
  Condition condition;
  std::unique_lock first_taken(below);
  const std::lock_guard levels(again);
  const std::lock_guard beside(above);
  const auto now = std::chrono::milliseconds(0);
  EXPECT_NO_THROW(condition.wait_for(first_taken, now));
  EXPECT_TRUE(first_taken.owns_lock() && below.locked());
  EXPECT_NO_THROW(condition.wait_for(again, now));
  EXPECT_TRUE(again.locked());
}

TEST_F(OrderPolicyTest, UnderAbortTheProcessEndsWithALine) {
  testing::FLAGS_gtest_death_test_style = "threadsafe";
  Lock below(low), above(high);
  EXPECT_DEATH(
      {
        set_order_policy(OrderPolicy::kAbort);
        TakeBoth(above, below);
      },
      "lock [0-9]+ is taken while lock [0-9]+ is held, of a higher rank");
}

}  // namespace
}  // namespace lockwarden
