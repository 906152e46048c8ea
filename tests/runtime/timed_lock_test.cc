// The timed members of every lock, by the standard's corner cases: times in the past, longest
// durations, each clock, and who is recorded as waiting with a limit.
#include <gtest/gtest.h>

#include <atomic>
#include <limits>
#include <mutex>
#include <thread>

#include "lockwarden/lockwarden.h"
#include "tests/runtime/waiting.h"

namespace lockwarden {
namespace {

using namespace std::chrono_literals;
using std::chrono::steady_clock;
using std::chrono::system_clock;

// Runs by hand: each look moves it by 1 ms, however much time has passed.
struct HandClock {
  using duration = std::chrono::milliseconds;
  using rep = duration::rep;
  using period = duration::period;
  using time_point = std::chrono::time_point<HandClock>;
  [[maybe_unused]] static constexpr bool is_steady = true;
  static inline rep looks = 0;
  static time_point now() { return time_point(duration(++looks)); }
};

// The other two modes of a SharedLock, with an exclusive one's names. Whoever keeps them out holds
// the whole of it, which lies at the same address.
struct Reading {
  SharedLock whole;
  void unlock() { whole.unlock_shared(); }
  bool locked() const { return whole.locked(); }
  auto try_lock_for(auto duration) { return whole.try_lock_shared_for(duration); }
  auto try_lock_until(auto time) { return whole.try_lock_shared_until(time); }
  void lock() { whole.lock_shared(); }
  bool try_lock() { return whole.try_lock_shared(); }
};
struct MayUpgrade {
  SharedLock whole;
  void unlock() { whole.unlock_upgrade(); }
  bool locked() const { return whole.locked(); }
  auto try_lock_for(auto duration) { return whole.try_lock_upgrade_for(duration); }
  auto try_lock_until(auto time) { return whole.try_lock_upgrade_until(time); }
  void lock() { whole.lock_upgrade(); }
  bool try_lock() { return whole.try_lock_upgrade(); }
};
template <class L>
auto& Whole(L& lock) {
  if constexpr (requires { lock.whole; }) {
    return lock.whole;
  } else {
    return lock;
  }
}

// Holds it in a thread of its own, until it goes.
template <class L>
class HeldElsewhere {
 public:
  explicit HeldElsewhere(L& lock) : thread_([this, &lock] {
      std::unique_lock hold(Whole(lock));
      held_ = true;
      held_.notify_one();
      release_.wait(false);
    }) {
    held_.wait(false);
  }
  ~HeldElsewhere() {
    release_ = true;
    release_.notify_one();
    thread_.join();
  }

 private:
  std::atomic<bool> held_{false}, release_{false};
  std::thread thread_;
};

template <class T>
class TimedLockTest : public testing::Test {
 protected:
  // Waits by `wait` in another thread while this one holds the lock; the limits that are recorded
  // for it, and then the lock is released.
  template <class Wait>
  int LimitsOf(Wait wait) {
    Whole(lock_).lock();
    std::thread other([&] {
      EXPECT_TRUE(wait());
      lock_.unlock();
    });
    AwaitWaiters(&lock_, 1);
    const int timed = WaitersOf(&lock_).timed;
    Whole(lock_).unlock();
    other.join();
    return timed;
  }
  T lock_;
};
using Types = testing::Types<Lock, RLock, SharedLock, Reading, MayUpgrade>;
TYPED_TEST_SUITE(TimedLockTest, Types);

TYPED_TEST(TimedLockTest, WhatIsFreeIsTakenWhateverTheTime) {
  TypeParam& lock = this->lock_;
  const auto take = [&](bool taken) {
    EXPECT_TRUE(taken);
    if (taken) lock.unlock();
  };
  take(lock.try_lock_for(0s));
  take(lock.try_lock_for(-1h));
  take(lock.try_lock_for(1h));
  take(lock.try_lock_for(std::chrono::hours::max()));
  take(lock.try_lock_for(std::chrono::duration<double>(1e300)));
  take(lock.try_lock_until(steady_clock::time_point::min()));
  take(lock.try_lock_until(steady_clock::time_point::max()));
  take(lock.try_lock_until(system_clock::time_point()));
  take(lock.try_lock_until(system_clock::time_point::max()));
  take(lock.try_lock_until(HandClock::time_point::max()));
  take(lock.try_lock_until(HandClock::time_point::min()));
  EXPECT_FALSE(lock.locked());
}

TYPED_TEST(TimedLockTest, ATimeInThePastIsOverAtOnce) {
  TypeParam& lock = this->lock_;
  const HeldElsewhere<TypeParam> held(lock);
  EXPECT_FALSE(lock.try_lock_for(0ns));
  EXPECT_FALSE(lock.try_lock_for(std::chrono::hours::min()));
  EXPECT_FALSE(lock.try_lock_for(
      std::chrono::duration<double>(std::numeric_limits<double>::quiet_NaN())));
  EXPECT_FALSE(lock.try_lock_until(steady_clock::now() - 1h));
  EXPECT_FALSE(lock.try_lock_until(steady_clock::time_point::min()));
  EXPECT_FALSE(lock.try_lock_until(system_clock::now() - 1h));
  EXPECT_FALSE(lock.try_lock_until(system_clock::time_point::min()));
  EXPECT_FALSE(lock.try_lock_until(HandClock::time_point::min()));
}

TYPED_TEST(TimedLockTest, ATimeThatComesEndsTheWaitAndLeavesNothingBehind) {
  TypeParam& lock = this->lock_;
  {
    const HeldElsewhere<TypeParam> held(lock);
    EXPECT_FALSE(lock.try_lock_for(1ms));
    EXPECT_FALSE(lock.try_lock_for(std::chrono::duration<float, std::milli>(0.5f)));
    EXPECT_FALSE(lock.try_lock_until(system_clock::now() + 1ms));
    EXPECT_EQ(HoldsOfThisThread(), 0);
    EXPECT_EQ(WaitersOf(&lock).count, 0);
  }
  EXPECT_FALSE(lock.locked());
  EXPECT_TRUE(lock.try_lock_for(1h));
  lock.unlock();
}

TYPED_TEST(TimedLockTest, AClockOfTheProgramsOwnIsAskedAgain) {
  const HeldElsewhere<TypeParam> held(this->lock_);
  HandClock::looks = 0;
  EXPECT_FALSE(this->lock_.try_lock_until(HandClock::time_point(3ms)));
  EXPECT_EQ(HandClock::looks, 3);
}

TYPED_TEST(TimedLockTest, AWaitWithALimitIsRecordedAsOne) {
  TypeParam& lock = this->lock_;
  EXPECT_EQ(this->LimitsOf([&] { return lock.try_lock_for(1h); }), 1);
  EXPECT_EQ(this->LimitsOf([&] { return lock.try_lock_until(steady_clock::now() + 1h); }), 1);
  EXPECT_EQ(this->LimitsOf([&] { return lock.try_lock_until(system_clock::now() + 1h); }), 1);
}

TYPED_TEST(TimedLockTest, TheLongestLimitIsNone) {
  TypeParam& lock = this->lock_;
  EXPECT_EQ(this->LimitsOf([&] { return lock.try_lock_for(std::chrono::nanoseconds::max()); }), 0);
  EXPECT_EQ(this->LimitsOf([&] { return lock.try_lock_for(std::chrono::hours::max()); }), 0);
  EXPECT_EQ(this->LimitsOf([&] {
    return lock.try_lock_until(steady_clock::time_point::max());
  }), 0);
  EXPECT_EQ(this->LimitsOf([&] {
    return lock.try_lock_until(system_clock::time_point::max());
  }), 0);
}

TYPED_TEST(TimedLockTest, TheStandardsGuardsTakeTimes) {
  std::unique_lock by_duration(this->lock_, 1h);
  EXPECT_TRUE(by_duration.owns_lock());
  by_duration.unlock();
  std::unique_lock by_time(this->lock_, steady_clock::now() + 1h);
  EXPECT_TRUE(by_time.owns_lock());
}

TEST(TimedRelockTest, TheOwnerOfALockIsRefusedAtOnceAndThatOfAnRLockGoesDeeper) {
  Lock lock;
  lock.lock();
  EXPECT_FALSE(lock.try_lock_for(1h));
  EXPECT_FALSE(lock.try_lock_until(steady_clock::time_point::max()));
  lock.unlock();
  RLock rlock;
  rlock.lock();
  EXPECT_TRUE(rlock.try_lock_for(1h));
  EXPECT_TRUE(rlock.try_lock_for(-1h));
  for (int i = 0; i < 3; ++i) {
    EXPECT_TRUE(rlock.locked());
    rlock.unlock();
  }
  EXPECT_FALSE(rlock.locked());
}

}  // namespace
}  // namespace lockwarden
