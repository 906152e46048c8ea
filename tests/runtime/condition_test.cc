// Condition with every lock and guard: what std::condition_variable_any promises, and its corner
// cases. A waiter is known to wait because its record says so.
#include "lockwarden/condition.h"

#include <gtest/gtest.h>
#include <pthread.h>
#include <sched.h>

#include <atomic>
#include <cstring>
#include <fstream>
#include <functional>
#include <memory>
#include <mutex>
#include <new>
#include <shared_mutex>
#include <stdexcept>
#include <string>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

#include "lockwarden/lockwarden.h"
#include "tests/runtime/waiting.h"

namespace lockwarden {
namespace {

using namespace std::chrono_literals;

// A lock, and what is given to the condition while it is held.
template <class L, class G>
struct With {
  using Lock = L;
  using Guard = G;
};
// Gives the lock itself.
template <class L>
struct Itself {
  explicit Itself(L& lock) : lock_(lock) { lock_.lock(); }
  ~Itself() { lock_.unlock(); }
  L& given() { return lock_; }
  L& lock_;
};
template <class G>
auto& Given(G& guard) {
  if constexpr (requires { guard.given(); }) {
    return guard.given();
  } else {
    return guard;
  }
}

template <class T>
class ConditionTest : public testing::Test {
 protected:
  using Guard = typename T::Guard;
  typename T::Lock lock_;
  Condition condition_{"condition"};
  int tickets_ = 0, used_ = 0;  // under the lock

  std::thread WaitForATicket() {
    return std::thread([this] {
      Guard guard(lock_);
      condition_.wait(Given(guard), [this] { return tickets_ > used_; });
      ++used_;
    });
  }
  void AddTickets(int count) {
    std::unique_lock hold(lock_);
    tickets_ += count;
  }
  int Used() {
    std::unique_lock hold(lock_);
    return used_;
  }
};
using Types = testing::Types<With<Lock, Itself<Lock>>, With<RLock, Itself<RLock>>,
                             With<SharedLock, Itself<SharedLock>>,
                             With<Lock, std::unique_lock<Lock>>,
                             With<RLock, std::unique_lock<RLock>>,
                             With<SharedLock, std::unique_lock<SharedLock>>,
                             With<std::mutex, std::unique_lock<std::mutex>>>;
TYPED_TEST_SUITE(ConditionTest, Types);

TYPED_TEST(ConditionTest, AWaiterLetsGoOfTheLockAndHasItAgainWhenNotified) {
  std::thread waiter = this->WaitForATicket();
  AwaitWaiters(&this->condition_, 1);
  EXPECT_EQ(WaitersOf(&this->condition_).timed, 0);
  this->AddTickets(1);  // so it can be taken
  this->condition_.notify_one();
  waiter.join();
  EXPECT_EQ(this->used_, 1);
  EXPECT_EQ(WaitersOf(&this->condition_).count, 0);
}

TYPED_TEST(ConditionTest, OneIsWokenOrAll) {
  std::vector<std::thread> waiters;
  for (int i = 0; i < 3; ++i) waiters.push_back(this->WaitForATicket());
  AwaitWaiters(&this->condition_, 3);
  this->AddTickets(1);
  this->condition_.notify_one();
  const auto deadline = std::chrono::steady_clock::now() + 30s;
  while (this->Used() < 1) ASSERT_LT(std::chrono::steady_clock::now(), deadline);
  AwaitWaiters(&this->condition_, 2);
  this->AddTickets(2);
  this->condition_.notify_all();
  for (std::thread& waiter : waiters) waiter.join();
  EXPECT_EQ(this->used_, 3);
}

TYPED_TEST(ConditionTest, ANotificationIsNotRemembered) {
  typename TestFixture::Guard guard(this->lock_);
  this->condition_.notify_one();
  this->condition_.notify_all();
  EXPECT_FALSE(this->condition_.wait_for(Given(guard), 1ms, [] { return false; }));
}

TYPED_TEST(ConditionTest, ATimeThatHasComeEndsItWithTheLockHeld) {
  typename TestFixture::Guard guard(this->lock_);
  auto& given = Given(guard);
  Condition& condition = this->condition_;
  // Each may return for no reason instead: but not for ever.
  const auto times_out = [](auto wait) {
    for (int i = 0; i < 100; ++i) {
      if (wait() == std::cv_status::timeout) return true;
    }
    return false;
  };
  EXPECT_TRUE(times_out([&] { return condition.wait_for(given, -1h); }));
  EXPECT_TRUE(times_out([&] { return condition.wait_for(given, 0s); }));
  EXPECT_TRUE(times_out([&] { return condition.wait_for(given, 1ms); }));
  EXPECT_TRUE(times_out([&] {
    return condition.wait_until(given, std::chrono::steady_clock::now() - 1h);
  }));
  EXPECT_TRUE(times_out([&] {
    return condition.wait_until(given, std::chrono::system_clock::now() + 1ms);
  }));
  EXPECT_FALSE(condition.wait_until(given, std::chrono::system_clock::time_point::min(),
                                    [] { return false; }));
  EXPECT_TRUE(condition.wait_for(given, -1h, [] { return true; }));
  bool taken = true;
  std::thread([&] {
    taken = this->lock_.try_lock();
    if (taken) this->lock_.unlock();
  }).join();
  EXPECT_FALSE(taken);
}

TYPED_TEST(ConditionTest, OnlyATimeThatAClockCanSayIsALimit) {
  using std::chrono::steady_clock;
  Condition& condition = this->condition_;
  const auto limits = [&](auto wait) {
    this->tickets_ = 0;
    std::thread waiter([&] {
      typename TestFixture::Guard guard(this->lock_);
      EXPECT_TRUE(wait(Given(guard), [this] { return this->tickets_ != 0; }));
    });
    AwaitWaiters(&condition, 1);
    const int timed = WaitersOf(&condition).timed;
    this->AddTickets(1);
    condition.notify_one();
    waiter.join();
    return timed;
  };
  EXPECT_EQ(limits([&](auto& lock, auto done) { return condition.wait_for(lock, 1h, done); }), 1);
  EXPECT_EQ(limits([&](auto& lock, auto done) {
    return condition.wait_until(lock, steady_clock::now() + 1h, done);
  }), 1);
  EXPECT_EQ(limits([&](auto& lock, auto done) {
    return condition.wait_for(lock, std::chrono::hours::max(), done);
  }), 0);
  EXPECT_EQ(limits([&](auto& lock, auto done) {
    return condition.wait_until(lock, steady_clock::time_point::max(), done);
  }), 0);
}

TYPED_TEST(ConditionTest, APredicateThatThrowsLeavesTheLockHeld) {
  struct Refusal {};
  bool once = false;
  std::thread waiter([&] {
    typename TestFixture::Guard guard(this->lock_);
    EXPECT_THROW(this->condition_.wait(Given(guard),
                                       [&]() -> bool {
                                         if (once) throw Refusal();
                                         once = true;
                                         return false;
                                       }),
                 Refusal);
    ++this->used_;  // the guard releases what is held, or that would throw
  });
  AwaitWaiters(&this->condition_, 1);
  this->AddTickets(1);
  this->condition_.notify_all();
  waiter.join();
  EXPECT_EQ(this->used_, 1);
  EXPECT_TRUE(this->lock_.try_lock());
  this->lock_.unlock();
}

TYPED_TEST(ConditionTest, ItMayGoAsSoonAsItsWaitersAreNotified) {
  for (int round = 0; round < 100; ++round) {
    auto condition = std::make_unique<Condition>();
    bool go = false;
    std::thread waiter([&] {
      typename TestFixture::Guard guard(this->lock_);
      while (!go) condition->wait(Given(guard));
    });
    AwaitWaiters(condition.get(), 1);
    {
      std::unique_lock hold(this->lock_);
      go = true;
      condition->notify_all();
      condition.reset();
    }
    waiter.join();
  }
}

// Its release is the window between being counted as a waiter and falling asleep.
struct SeamLock {
  Lock real;
  std::function<void()> in_window;
  void lock() { real.lock(); }
  void unlock() {
    real.unlock();
    if (auto run = std::exchange(in_window, nullptr)) run();
  }
};

TEST(ConditionLifeTest, TheMemoryIsItsOwnUntilANotifiedWaiterHasLeftIt) {
  alignas(Condition) unsigned char memory[sizeof(Condition)];
  Condition* const condition = new (memory) Condition("condition");
  std::atomic<bool> destroyed{false};
  std::thread destroyer;
  SeamLock lock;
  bool too_early = true;
  lock.in_window = [&] {
    condition->notify_all();
    destroyer = std::thread([&] {
      condition->~Condition();
      std::memset(memory, 0xff, sizeof(memory));
      destroyed = true;
    });
    const auto deadline = std::chrono::steady_clock::now() + 30s;
    while (!destroyed && WaitersOf(memory).count == 0) {
      ASSERT_LT(std::chrono::steady_clock::now(), deadline);
      std::this_thread::yield();
    }
    too_early = destroyed;
  };
  lock.lock();
  condition->wait(lock);
  EXPECT_FALSE(too_early);
  lock.unlock();
  destroyer.join();
  EXPECT_TRUE(destroyed);
}

// Whether the kernel says that the thread sleeps.
bool Sleeps(uint32_t tid) {
  std::ifstream stat("/proc/self/task/" + std::to_string(tid) + "/stat");
  std::string text;
  std::getline(stat, text);
  const size_t name_ends = text.rfind(") ");
  return name_ends != std::string::npos && text[name_ends + 2] == 'S';
}

TEST(ConditionOrderTest, OfThoseThatSleepTheHighestRealTimePriorityIsWoken) {
  sched_param before{};
  int policy = 0;
  ASSERT_EQ(pthread_getschedparam(pthread_self(), &policy, &before), 0);
  sched_param real_time{};
  real_time.sched_priority = 2;
  if (pthread_setschedparam(pthread_self(), SCHED_FIFO, &real_time) != 0) {
    GTEST_SKIP() << "no right to real-time priorities here";
  }
  ASSERT_EQ(pthread_setschedparam(pthread_self(), policy, &before), 0);

  Lock lock;
  Condition condition;
  std::vector<int> woken;  // under the lock
  const auto wait = [&](int priority) {
    sched_param own{};
    own.sched_priority = priority;
    if (priority > 0) {
      ASSERT_EQ(pthread_setschedparam(pthread_self(), SCHED_FIFO, &own), 0);
    }
    std::unique_lock hold(lock);
    condition.wait(hold);
    woken.push_back(priority);
  };
  const auto deadline = std::chrono::steady_clock::now() + 30s;
  std::vector<JThread> waiters;
  for (int priority : {0, 1, 2}) {
    waiters.emplace_back("waiter", wait, priority);
    AwaitWaiters(&condition, priority + 1);
    while (!Sleeps(waiters.back().native_id())) {
      ASSERT_LT(std::chrono::steady_clock::now(), deadline);
      std::this_thread::yield();
    }
  }
  for (int left : {2, 1, 0}) {
    condition.notify_one();
    AwaitWaiters(&condition, left);
    for (bool over = false; !over; std::this_thread::yield()) {
      ASSERT_LT(std::chrono::steady_clock::now(), deadline);
      const std::lock_guard hold(lock);
      over = woken.size() == 3u - static_cast<size_t>(left);
    }
  }
  EXPECT_EQ(woken, (std::vector<int>{2, 1, 0}));
}

TEST(ConditionMisuseTest, ALockThatIsNotHeldIsRefused) {
  const auto refused = [](auto& lock) {
    Condition condition;
    try {
      condition.wait(lock);
    } catch (const std::system_error& error) {
      return error.code() == std::errc::operation_not_permitted;
    }
    return false;
  };
  Lock lock;
  RLock rlock;
  SharedLock shared_lock;
  EXPECT_TRUE(refused(lock));
  EXPECT_TRUE(refused(rlock));
  EXPECT_TRUE(refused(shared_lock));
  std::unique_lock guard(lock, std::defer_lock);
  std::unique_lock rguard(rlock, std::defer_lock);
  std::shared_lock reader(shared_lock, std::defer_lock);
  EXPECT_TRUE(refused(guard));
  EXPECT_TRUE(refused(rguard));
  EXPECT_TRUE(refused(reader));
  std::unique_lock held(lock);
  std::unique_lock rheld(rlock);
  std::thread([&] {
    EXPECT_TRUE(refused(lock));
    EXPECT_TRUE(refused(rlock));
  }).join();
}

TEST(ConditionMisuseTest, TwoLocksAtOnceAreWrittenDown) {
  const auto records = [] {
    return ledger::TheLedger().header().tables[ledger::kMisuse].used.load();
  };
  Lock one, two;
  Condition condition;
  bool go = false;
  const auto wait = [&](Lock& lock) {
    std::unique_lock hold(lock);
    while (!go) condition.wait(hold);
  };
  std::thread first([&] { wait(one); });
  AwaitWaiters(&condition, 1);
  const uint32_t before = records();
  std::thread second([&] { wait(two); });
  AwaitWaiters(&condition, 2);
  {
    const std::scoped_lock hold(one, two);
    go = true;
  }
  condition.notify_all();
  first.join();
  second.join();
  EXPECT_EQ(records(), before + 1);
}

TEST(ConditionLevelsTest, AnRLockIsLetGoWithAllItsLevelsAndHasThemAgain) {
  RLock lock;
  Condition condition;
  bool go = false;
  std::thread waiter([&] {
    lock.lock();
    lock.lock();
    std::unique_lock guard(lock);  // the third
    condition.wait(guard, [&] { return go; });
    EXPECT_TRUE(guard.owns_lock());
    guard.unlock();
    lock.unlock();
    EXPECT_TRUE(lock.locked());
    lock.unlock();
    EXPECT_FALSE(lock.locked());
    EXPECT_EQ(HoldsOfThisThread(), 0);
  });
  AwaitWaiters(&condition, 1);
  {
    std::unique_lock hold(lock);
    go = true;
  }
  condition.notify_one();
  waiter.join();
}

TEST(ConditionReadersTest, AReaderWaitsBesideOtherReaders) {
  SharedLock lock;
  Condition condition;
  bool go = false;
  std::thread waiter([&] {
    std::shared_lock read(lock);
    condition.wait(read, [&] { return go; });
  });
  AwaitWaiters(&condition, 1);
  {
    std::unique_lock write(lock);
    go = true;
  }
  condition.notify_one();
  waiter.join();
}

TEST(ConditionStressTest, NothingThatIsHandedOverIsLost) {
  constexpr int kThreads = 3, kEach = 3000;
  Lock lock;
  Condition filled, emptied;
  int full = 0, taken = 0;
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < kEach; ++i) {
        std::unique_lock hold(lock);
        emptied.wait(hold, [&] { return full < 2; });
        ++full;
        filled.notify_one();
      }
    });
    threads.emplace_back([&] {
      for (int i = 0; i < kEach; ++i) {
        std::unique_lock hold(lock);
        while (full == 0) static_cast<void>(filled.wait_for(hold, i % 2 == 0 ? 10us : 1h));
        --full;
        ++taken;
        hold.unlock();
        emptied.notify_one();
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(taken, kThreads * kEach);
}

}  // namespace
}  // namespace lockwarden
