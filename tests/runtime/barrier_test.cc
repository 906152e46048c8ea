// Barrier: rounds, the action, and all the ways in which it breaks.
#include "lockwarden/barrier.h"

#include <gtest/gtest.h>

#include <set>
#include <system_error>
#include <thread>
#include <vector>

#include "lockwarden/event.h"
#include "lockwarden/lock.h"
#include "tests/runtime/waiting.h"

namespace lockwarden {
namespace {

using namespace std::chrono_literals;

// What came of a wait: the index, or that it was broken.
constexpr int kBroken = -1, kThrown = -2;
template <class Wait>
int Outcome(Wait wait) {
  try {
    return static_cast<int>(wait());
  } catch (const BrokenBarrier&) {
    return kBroken;
  } catch (const int&) {
    return kThrown;
  }
}
int WaitAt(Barrier& barrier) {
  return Outcome([&] { return barrier.wait(); });
}

// A thread that waits at the barrier; join() says what came of it.
class Party {
 public:
  explicit Party(Barrier& barrier) : thread_([this, &barrier] { outcome_ = WaitAt(barrier); }) {}
  int join() {
    thread_.join();
    return outcome_;
  }

 private:
  int outcome_ = 0;
  std::thread thread_;
};

TEST(BarrierTest, NobodyGoesOnBeforeAllHaveComeAndEachHasItsIndex) {
  Barrier barrier(3, {}, "step");
  EXPECT_EQ(barrier.parties(), 3u);
  EXPECT_STREQ(barrier.name(), "step");
  for (int round = 0; round < 3; ++round) {
    Party one(barrier), two(barrier);
    AwaitWaiters(&barrier, 2);
    EXPECT_EQ(barrier.waiting(), 2u);
    EXPECT_EQ(WaitAt(barrier), 2);
    const std::set<int> others{one.join(), two.join()};
    EXPECT_EQ(others, (std::set<int>{0, 1}));
    EXPECT_EQ(barrier.waiting(), 0u);
  }
}

TEST(BarrierTest, TheActionRunsOnceARoundBeforeAnybodyGoesOn) {
  int runs = 0;  // plain: the barrier orders it
  Barrier barrier(2, [&] { ++runs; });
  for (int round = 1; round <= 3; ++round) {
    std::thread other([&] {
      barrier.wait();
      EXPECT_EQ(runs, round);
    });
    barrier.wait();
    EXPECT_EQ(runs, round);
    other.join();
  }
}

TEST(BarrierTest, AnActionThatThrowsBreaksIt) {
  Barrier barrier(2, [] { throw 1; });
  Party other(barrier);
  AwaitWaiters(&barrier, 1);
  EXPECT_EQ(WaitAt(barrier), kThrown);
  EXPECT_EQ(other.join(), kBroken);
  EXPECT_TRUE(barrier.broken());
  EXPECT_EQ(WaitAt(barrier), kBroken);
}

TEST(BarrierTest, WhoGivesUpBreaksItForAll) {
  Barrier barrier(3);
  Party other(barrier);
  AwaitWaiters(&barrier, 1);
  EXPECT_EQ(Outcome([&] { return barrier.wait_for(1ms); }), kBroken);
  EXPECT_EQ(other.join(), kBroken);
  EXPECT_TRUE(barrier.broken());
  EXPECT_EQ(Outcome([&] { return barrier.wait_for(1h); }), kBroken);
  barrier.reset();
  EXPECT_FALSE(barrier.broken());
  const auto now = std::chrono::steady_clock::now();
  EXPECT_EQ(Outcome([&] { return barrier.wait_until(now - 1h); }), kBroken);
  barrier.reset();
  EXPECT_EQ(Outcome([&] {
    return barrier.wait_until(std::chrono::system_clock::time_point());
  }), kBroken);
}

TEST(BarrierTest, TheLastOneNeedsNoTime) {
  Barrier barrier(2);
  Party other(barrier);
  AwaitWaiters(&barrier, 1);
  EXPECT_EQ(Outcome([&] { return barrier.wait_for(-1h); }), 1);
  EXPECT_EQ(other.join(), 0);
}

TEST(BarrierTest, OnceAllHaveComeATimeThatPassesIsTooLate) {
  Event in_action, go_on;
  Barrier barrier(2, [&] {
    in_action.set();
    go_on.wait();
  });
  int waited = 0;
  std::thread other([&] { waited = Outcome([&] { return barrier.wait_for(1h); }); });
  AwaitWaiters(&barrier, 1);
  std::thread last([&] { barrier.wait(); });
  in_action.wait();
  // A third one is of the next round, and may break that.
  EXPECT_EQ(Outcome([&] { return barrier.wait_for(1ms); }), kBroken);
  go_on.set();
  other.join();
  last.join();
  EXPECT_EQ(waited, 0);
}

TEST(BarrierTest, AbortBreaksItUntilReset) {
  Barrier barrier(2);
  Party other(barrier);
  AwaitWaiters(&barrier, 1);
  barrier.abort();
  EXPECT_EQ(other.join(), kBroken);
  EXPECT_EQ(WaitAt(barrier), kBroken);
  barrier.reset();
  Party again(barrier);
  EXPECT_GE(WaitAt(barrier), 0);
  EXPECT_GE(again.join(), 0);
}

TEST(BarrierTest, ResetBreaksTheRoundOnly) {
  Barrier barrier(2);
  Party other(barrier);
  AwaitWaiters(&barrier, 1);
  barrier.reset();
  EXPECT_EQ(other.join(), kBroken);
  EXPECT_FALSE(barrier.broken());
  EXPECT_EQ(barrier.waiting(), 0u);
}

TEST(BarrierTest, OneOfOnePartyIsNoneAtAllAndNobodyIsRefused) {
  Barrier barrier(1);
  EXPECT_EQ(WaitAt(barrier), 0);
  EXPECT_EQ(WaitAt(barrier), 0);
  EXPECT_THROW(Barrier(0), std::system_error);
}

TEST(BarrierTest, WhoIsThroughMayDestroyIt) {
  for (int round = 0; round < 200; ++round) {
    std::thread other;
    {
      Barrier barrier(2);
      other = std::thread([&barrier] { barrier.wait(); });
      barrier.wait();
    }
    other.join();
  }
}

TEST(BarrierStressTest, NobodyIsEverARoundAhead) {
  constexpr int kThreads = 4, kRounds = 1500;
  std::atomic<int> arrived{0};
  Barrier barrier(kThreads, [&] {
    EXPECT_EQ(arrived % kThreads, 0);
  });
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&] {
      for (int round = 0; round < kRounds; ++round) {
        ++arrived;
        barrier.wait_for(1h);
        EXPECT_GE(arrived, kThreads * (round + 1));
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(arrived, kThreads * kRounds);
}

}  // namespace
}  // namespace lockwarden
