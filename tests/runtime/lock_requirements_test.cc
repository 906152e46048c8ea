// What the standard asks of a lock, of every type of lock in every mode that keeps others out: its
// guards and algorithms, what an exception leaves behind, conditions of the standard's, and that a
// lock may go as soon as nobody holds it, although who released it has not returned yet. Holds with
// recording compiled out, too.
#include <gtest/gtest.h>

#include <atomic>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <optional>
#include <shared_mutex>
#include <thread>
#include <type_traits>
#include <utility>
#include <vector>

#include "lockwarden/annotate.h"
#include "lockwarden/lockwarden.h"

namespace lockwarden {
namespace {

using namespace std::chrono_literals;
using std::chrono::steady_clock;
using std::chrono::system_clock;

// The third mode of a SharedLock, with an exclusive one's names.
class UpgradeSide {
 public:
  void lock() { whole_.lock_upgrade(); }
  bool try_lock() { return whole_.try_lock_upgrade(); }
  bool try_lock_for(auto duration) { return whole_.try_lock_upgrade_for(duration); }
  bool try_lock_until(auto time) { return whole_.try_lock_upgrade_until(time); }
  void unlock() { whole_.unlock_upgrade(); }

 private:
  SharedLock whole_;
};

// A semaphore of one unit, as a lock that its owner must not ask for again.
class OneUnit {
 public:
  void lock() { unit_.acquire(); }
  bool try_lock() { return unit_.try_acquire(); }
  bool try_lock_for(auto duration) { return unit_.try_acquire_for(duration); }
  bool try_lock_until(auto time) { return unit_.try_acquire_until(time); }
  void unlock() { unit_.release(); }

 private:
  BoundedSemaphore unit_{1};
};

// A lock of the program's own, annotated.
class Spinning {
 public:
  ~Spinning() { lockwarden_destroyed(this); }
  void lock() {
    lockwarden_about_to_wait(this);
    while (taken_.exchange(true)) std::this_thread::yield();
    lockwarden_acquired(this);
  }
  bool try_lock() {
    if (taken_.exchange(true)) return false;
    lockwarden_acquired(this);
    return true;
  }
  void unlock() {
    lockwarden_released(this);
    taken_ = false;
  }

 private:
  std::atomic<bool> taken_{false};
};

// Whether another thread gets it at once.
template <class L>
bool IsFree(L& lock) {
  bool taken = false;
  std::thread([&] {
    taken = lock.try_lock();
    if (taken) lock.unlock();
  }).join();
  return taken;
}

template <class L>
class LockRequirementsTest : public testing::Test {
 protected:
  L lock_, other_;
};
using Locks = testing::Types<Lock, RLock, SharedLock, UpgradeSide, OneUnit, Spinning>;
TYPED_TEST_SUITE(LockRequirementsTest, Locks);

static_assert(!std::is_copy_constructible_v<Lock> && !std::is_move_constructible_v<Lock>);
static_assert(!std::is_copy_constructible_v<RLock> && !std::is_move_constructible_v<RLock>);
static_assert(!std::is_copy_assignable_v<SharedLock> && !std::is_move_assignable_v<SharedLock>);
constinit Lock global_lock("global");
constinit RLock global_rlock("global");
constinit SharedLock global_shared_lock("global");
constinit Condition global_condition("global");
constinit Semaphore global_semaphore(1, "global");
constinit Event global_event("global");

TYPED_TEST(LockRequirementsTest, OneAtATimeHoldsIt) {
  TypeParam& lock = this->lock_;
  lock.lock();
  EXPECT_FALSE(IsFree(lock));
  lock.unlock();
  EXPECT_TRUE(IsFree(lock));
  EXPECT_TRUE(lock.try_lock());
  EXPECT_FALSE(IsFree(lock));
  lock.unlock();
}

TYPED_TEST(LockRequirementsTest, TheStandardsGuardsHoldIt) {
  TypeParam& lock = this->lock_;
  {
    const std::lock_guard guard(lock);
    EXPECT_FALSE(IsFree(lock));
  }
  {
    std::unique_lock guard(lock, std::defer_lock);
    EXPECT_TRUE(IsFree(lock));
    EXPECT_TRUE(guard.try_lock());
    std::unique_lock moved(std::move(guard));
    EXPECT_FALSE(IsFree(lock));
  }
  {
    const std::unique_lock guard(lock, std::try_to_lock);
    EXPECT_TRUE(guard.owns_lock());
  }
  lock.lock();
  { const std::scoped_lock guard(std::adopt_lock, lock); }
  EXPECT_TRUE(IsFree(lock));
}

TYPED_TEST(LockRequirementsTest, SeveralAreTakenTogether) {
  std::mutex plain;
  {
    const std::scoped_lock guard(this->lock_, plain, this->other_);
    EXPECT_FALSE(IsFree(this->lock_));
    EXPECT_FALSE(IsFree(this->other_));
  }
  std::lock(this->other_, this->lock_);
  this->lock_.unlock();
  std::thread([&] { EXPECT_EQ(std::try_lock(this->lock_, plain, this->other_), 2); }).join();
  EXPECT_TRUE(IsFree(this->lock_)) << "what was taken before the one that fails is given back";
  this->other_.unlock();
  EXPECT_EQ(std::try_lock(this->lock_, this->other_), -1);
  this->lock_.unlock();
  this->other_.unlock();
}

TYPED_TEST(LockRequirementsTest, ThreadsThatTakeTwoInOppositeOrdersByStdLockAllEnd) {
  int64_t count = 0;
  const auto take = [&](TypeParam& one, TypeParam& two) {
    for (int i = 0; i < 2000; ++i) {
      const std::scoped_lock guard(one, two);
      ++count;
    }
  };
  std::thread first([&] { take(this->lock_, this->other_); });
  take(this->other_, this->lock_);
  first.join();
  EXPECT_EQ(count, 4000);
}

TYPED_TEST(LockRequirementsTest, AnExceptionLeavesItFree) {
  struct Failure {};
  EXPECT_THROW(
      {
        const std::scoped_lock guard(this->lock_, this->other_);
        throw Failure();
      },
      Failure);
  EXPECT_TRUE(IsFree(this->lock_));
  EXPECT_TRUE(IsFree(this->other_));
}

TYPED_TEST(LockRequirementsTest, TimesThatAreOverOrNeverCome) {
  if constexpr (requires(TypeParam & lock) { lock.try_lock_for(0s); }) {
    TypeParam& lock = this->lock_;
    const auto takes = [&](bool taken) {
      if (taken) lock.unlock();
      return taken;
    };
    // Free: taken, whatever the time.
    EXPECT_TRUE(takes(lock.try_lock_for(-1h)));
    EXPECT_TRUE(takes(lock.try_lock_for(std::chrono::hours::min())));
    EXPECT_TRUE(takes(lock.try_lock_for(std::chrono::hours::max())));
    EXPECT_TRUE(takes(lock.try_lock_for(std::chrono::duration<double>(1e300))));
    EXPECT_TRUE(takes(lock.try_lock_until(steady_clock::time_point::min())));
    EXPECT_TRUE(takes(lock.try_lock_until(system_clock::time_point::max())));
    lock.lock();
    std::thread([&] {  // held: refused
      EXPECT_FALSE(lock.try_lock_for(0s));
      EXPECT_FALSE(lock.try_lock_for(std::chrono::nanoseconds::min()));
      EXPECT_FALSE(lock.try_lock_for(1ms));
      EXPECT_FALSE(lock.try_lock_until(steady_clock::now() - 1h));
      EXPECT_FALSE(lock.try_lock_until(system_clock::time_point::min()));
      EXPECT_FALSE(lock.try_lock_until(system_clock::now() + 1ms));
    })
        .join();
    lock.unlock();
    std::unique_lock guard(lock, 1h);
    EXPECT_TRUE(guard.owns_lock());
  }
}

TYPED_TEST(LockRequirementsTest, TheStandardsConditionWaitsWithIt) {
  TypeParam& lock = this->lock_;
  std::condition_variable_any condition;
  bool ready = false, seen = false;
  condition.notify_all();  // before anybody waits: forgotten
  std::thread waiter([&] {
    std::unique_lock hold(lock);
    condition.wait(hold, [&] { return ready; });
    seen = true;
  });
  {
    const std::lock_guard hold(lock);
    ready = true;
  }
  condition.notify_one();
  waiter.join();
  EXPECT_TRUE(seen);
  std::unique_lock hold(lock);
  EXPECT_FALSE(condition.wait_for(hold, 1ms, [] { return false; }));
  EXPECT_EQ(condition.wait_until(hold, steady_clock::now() - 1h), std::cv_status::timeout);
  struct Failure {};
  EXPECT_THROW(condition.wait(hold, []() -> bool { throw Failure(); }), Failure);
  EXPECT_TRUE(hold.owns_lock());
  EXPECT_FALSE(IsFree(lock));
}

TYPED_TEST(LockRequirementsTest, OurConditionWaitsWithIt) {
  TypeParam& lock = this->lock_;
  Condition condition;
  int turn = 0;
  const auto take_turns = [&](int mine) {
    for (int i = 0; i < 200; ++i) {
      std::unique_lock hold(lock);
      condition.wait(hold, [&] { return turn % 2 == mine; });
      ++turn;
      condition.notify_one();
    }
  };
  std::thread other([&] { take_turns(1); });
  take_turns(0);
  other.join();
  EXPECT_EQ(turn, 400);
  std::unique_lock hold(lock);
  EXPECT_FALSE(condition.wait_for(hold, 1ms, [] { return false; }));
  struct Failure {};
  EXPECT_THROW(condition.wait(hold, []() -> bool { throw Failure(); }), Failure);
  EXPECT_TRUE(hold.owns_lock());
}

// Whoever finds the count at nought frees the lock, while the other may still be inside unlock().
TYPED_TEST(LockRequirementsTest, ItMayGoAsSoonAsItsLastHolderHasReleasedIt) {
  struct Counted {
    TypeParam lock;
    int owners = 2;
  };
  for (int round = 0; round < 300; ++round) {
    Counted* const shared = new Counted;
    const auto drop = [shared] {
      bool last;
      {
        const std::lock_guard hold(shared->lock);
        last = --shared->owners == 0;
      }
      if (last) delete shared;
    };
    std::thread other(drop);
    drop();
    other.join();
  }
}

TEST(SharedRequirementsTest, ReadersReadTogetherByTheStandardsGuards) {
  SharedLock lock;
  std::shared_lock read(lock);
  std::thread([&] {
    const std::shared_lock also(lock, std::try_to_lock);
    EXPECT_TRUE(also.owns_lock());
    EXPECT_FALSE(lock.try_lock());
    EXPECT_FALSE(lock.try_lock_for(1ms));
  }).join();
  read.unlock();
  const std::unique_lock write(lock);
  std::thread([&] {
    EXPECT_FALSE(lock.try_lock_shared());
    EXPECT_FALSE(lock.try_lock_shared_for(-1h));
    EXPECT_FALSE(lock.try_lock_shared_until(system_clock::now()));
    const std::shared_lock timed(lock, 1ms);
    EXPECT_FALSE(timed.owns_lock());
  }).join();
}

TEST(GlobalsTest, AreReadyBeforeAnyOtherCode) {
  global_event.set();
  global_event.wait();
  global_semaphore.acquire();
  global_semaphore.release();
  std::unique_lock guard(global_lock);
  EXPECT_FALSE(global_condition.wait_for(guard, 0s, [] { return false; }));
  const std::scoped_lock guards(global_rlock, global_shared_lock);
  EXPECT_TRUE(global_rlock.locked() && global_shared_lock.locked());
}

TEST(QueueRequirementsTest, WhatIsPutInComesOutAndIsDone) {
  Queue<int> queue(2);
  int sum = 0;
  std::thread consumer([&] {
    while (const std::optional<int> item = queue.pop()) {
      sum += *item;
      queue.task_done();
    }
  });
  for (int i = 1; i <= 100; ++i) EXPECT_TRUE(queue.push(i));
  queue.join();
  EXPECT_EQ(sum, 5050);
  queue.close();
  consumer.join();
  EXPECT_FALSE(queue.push(1));
  EXPECT_FALSE(queue.try_pop_for(-1h).has_value());
}

// What waits may free what it waited for, though who let it go has not returned.
TEST(DestructionRaceTest, AnEventASemaphoreAndAConditionMayGoWhenTheirWaitIsOver) {
  for (int round = 0; round < 300; ++round) {
    auto event = std::make_unique<Event>();
    std::thread setter([raw = event.get()] { raw->set(); });
    event->wait();
    event.reset();
    setter.join();
    auto semaphore = std::make_unique<Semaphore>(0);
    std::thread poster([raw = semaphore.get()] { raw->release(); });
    semaphore->acquire();
    semaphore.reset();
    poster.join();
    Lock lock;
    auto condition = std::make_unique<Condition>();
    bool done = false;
    std::thread waiter([&, raw = condition.get()] {
      std::unique_lock hold(lock);
      if (!done) raw->wait(hold);
    });
    {
      const std::lock_guard hold(lock);
      done = true;
      condition->notify_all();
      condition.reset();  // a waiter may be on its way into the sleep, or out of it
    }
    waiter.join();
  }
}

TEST(DestructionRaceTest, ABarrierMayGoWhenOneHasComeThrough) {
  for (int round = 0; round < 300; ++round) {
    auto barrier = std::make_unique<Barrier>(2);
    std::thread other([raw = barrier.get()] { raw->wait(); });
    barrier->wait();
    barrier.reset();
    other.join();
  }
}

}  // namespace
}  // namespace lockwarden
