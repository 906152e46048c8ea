// Semaphore and BoundedSemaphore: units, times, bounds, and whose units they are.
#include "lockwarden/semaphore.h"

#include <gtest/gtest.h>

#include <memory>
#include <system_error>
#include <thread>
#include <vector>

#include "tests/runtime/waiting.h"

namespace lockwarden {
namespace {

using namespace std::chrono_literals;
using std::chrono::steady_clock;
using std::chrono::system_clock;

bool TooMany(Semaphore& semaphore, uint32_t units) {
  try {
    semaphore.release(units);
  } catch (const std::system_error& error) {
    return error.code() == std::errc::value_too_large;
  }
  return false;
}

TEST(SemaphoreTest, UnitsAreTakenAndGivenBack) {
  Semaphore semaphore(2, "slots");
  EXPECT_STREQ(semaphore.name(), "slots");
  EXPECT_GT(semaphore.id(), 0u);
  semaphore.acquire();
  EXPECT_TRUE(semaphore.try_acquire());
  EXPECT_EQ(semaphore.value(), 0u);
  EXPECT_FALSE(semaphore.try_acquire());
  EXPECT_EQ(HoldsOfThisThread(), 1);  // both units, in one entry
  semaphore.release(2);
  EXPECT_EQ(semaphore.value(), 2u);
  EXPECT_EQ(HoldsOfThisThread(), 0);
}

TEST(SemaphoreTest, AWaiterGetsWhatAnotherThreadGives) {
  Semaphore semaphore(0);
  std::vector<std::thread> waiters;
  for (int i = 0; i < 3; ++i) waiters.emplace_back([&] { semaphore.acquire(); });
  AwaitWaiters(&semaphore, 3);
  EXPECT_EQ(WaitersOf(&semaphore).timed, 0);
  semaphore.release();
  AwaitWaiters(&semaphore, 2);
  semaphore.release(2);
  for (std::thread& waiter : waiters) waiter.join();
  EXPECT_EQ(semaphore.value(), 0u);
}

TEST(SemaphoreTest, WhatIsThereIsTakenWhateverTheTime) {
  Semaphore semaphore(4);
  EXPECT_TRUE(semaphore.try_acquire_for(-1h));
  EXPECT_TRUE(semaphore.try_acquire_for(std::chrono::hours::max()));
  EXPECT_TRUE(semaphore.try_acquire_until(steady_clock::time_point::min()));
  EXPECT_TRUE(semaphore.try_acquire_until(system_clock::time_point::max()));
  EXPECT_EQ(semaphore.value(), 0u);
}

TEST(SemaphoreTest, ATimeThatHasComeEndsTheWait) {
  Semaphore semaphore(0);
  EXPECT_FALSE(semaphore.try_acquire_for(0s));
  EXPECT_FALSE(semaphore.try_acquire_for(1ms));
  EXPECT_FALSE(semaphore.try_acquire_until(steady_clock::now() - 1h));
  EXPECT_FALSE(semaphore.try_acquire_until(system_clock::now() + 1ms));
  EXPECT_EQ(WaitersOf(&semaphore).count, 0);
  semaphore.release();
  EXPECT_TRUE(semaphore.try_acquire_for(1h));
}

TEST(SemaphoreTest, OnlyATimeThatAClockCanSayIsALimit) {
  for (const bool limit : {true, false}) {
    Semaphore semaphore(0);
    std::thread waiter([&] {
      EXPECT_TRUE(semaphore.try_acquire_for(limit ? 1h : std::chrono::hours::max()));
    });
    AwaitWaiters(&semaphore, 1);
    EXPECT_EQ(WaitersOf(&semaphore).timed, limit ? 1 : 0);
    semaphore.release();
    waiter.join();
  }
}

TEST(SemaphoreTest, MoreThanItMayHaveIsRefusedWhole) {
  Semaphore semaphore(Semaphore::max() - 1);
  EXPECT_TRUE(TooMany(semaphore, 2));
  EXPECT_EQ(semaphore.value(), Semaphore::max() - 1);
  semaphore.release();
  EXPECT_TRUE(TooMany(semaphore, 1));
  EXPECT_TRUE(TooMany(semaphore, ~0u));
}

TEST(SemaphoreTest, ABoundedOneNeverHasMoreThanItBeganWith) {
  BoundedSemaphore semaphore(1);
  EXPECT_TRUE(TooMany(semaphore, 1));
  semaphore.acquire();
  EXPECT_TRUE(TooMany(semaphore, 2));
  EXPECT_EQ(HoldsOfThisThread(), 1);
  semaphore.release();
  EXPECT_EQ(semaphore.value(), 1u);
}

TEST(SemaphoreTest, UnitsThatAreHandedOverAreNobodys) {
  Semaphore semaphore(0);
  std::thread([&] { semaphore.release(); }).join();
  semaphore.acquire();
  EXPECT_EQ(HoldsOfThisThread(), 0);
}

TEST(SemaphoreTest, WhoGotTheLastUnitMayDestroyIt) {
  for (int round = 0; round < 200; ++round) {
    auto semaphore = std::make_unique<Semaphore>(0);
    std::thread giver([given = semaphore.get()] { given->release(); });
    semaphore->acquire();
    semaphore.reset();
    giver.join();
  }
}

TEST(SemaphoreStressTest, NoUnitIsLostOrMade) {
  constexpr int kThreads = 4, kRounds = 5000;
  Semaphore semaphore(2);
  std::atomic<int> inside{0}, most{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < kRounds; ++i) {
        if (i % 8 != 0 || !semaphore.try_acquire_for(10us)) semaphore.acquire();
        const int now = ++inside;
        for (int seen = most; now > seen && !most.compare_exchange_weak(seen, now);) {
        }
        --inside;
        semaphore.release();
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_LE(most, 2);
  EXPECT_EQ(semaphore.value(), 2u);
}

}  // namespace
}  // namespace lockwarden
