// The queues: order, bounds, times, closing, and what was done.
#include "lockwarden/queue.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <stdexcept>
#include <thread>
#include <vector>

#include "tests/runtime/waiting.h"

namespace lockwarden {
namespace {

using namespace std::chrono_literals;
using std::chrono::steady_clock;

// Until as many threads wait at conditions of kind "queue" anywhere.
void AwaitQueueWaiters(int count) {
  const auto waiting = [] {
    int found = 0;
    if (ledger::TheGate()->epoch == 0) return found;
    const ledger::Ledger book = ledger::TheLedger();
    const auto* threads = book.Table<ledger::ThreadRecord>(ledger::kThreads);
    const auto* locks = book.Table<ledger::LockRecord>(ledger::kLocks);
    for (uint32_t i = 0; i < book.header().tables[ledger::kThreads].used; ++i) {
      const ledger::PackedRef ref = threads[i].frame0.wait.wait;
      if (ledger::ModeOf(ref) != ledger::Mode::kSignal) continue;
      found += ledger::KindOf(locks[ledger::IndexOf(ref)].kind_and_flags) ==
               ledger::LockKind::kQueue;
    }
    return found;
  };
  const auto deadline = steady_clock::now() + 30s;
  while (waiting() != count) ASSERT_LT(steady_clock::now(), deadline);
}

template <class T>
class QueueTest : public testing::Test {};
using Types = testing::Types<Queue<int>, LifoQueue<int>, PriorityQueue<int>>;
TYPED_TEST_SUITE(QueueTest, Types);

TYPED_TEST(QueueTest, WhatIsPutInComesOut) {
  TypeParam queue(0, "queue");
  EXPECT_STREQ(queue.name(), "queue");
  EXPECT_TRUE(queue.empty());
  EXPECT_TRUE(queue.push(1));
  EXPECT_EQ(queue.size(), 1u);
  EXPECT_EQ(queue.pop(), 1);
  EXPECT_EQ(queue.try_pop(), std::nullopt);
}

TYPED_TEST(QueueTest, WhoFindsItEmptyWaitsForAnItem) {
  TypeParam queue;
  std::thread taker([&] { EXPECT_EQ(queue.pop(), 7); });
  AwaitQueueWaiters(1);
  EXPECT_TRUE(queue.push(7));
  taker.join();
}

TYPED_TEST(QueueTest, WhoFindsItFullWaitsForRoom) {
  TypeParam queue(1);
  EXPECT_TRUE(queue.push(1));
  EXPECT_FALSE(queue.try_push(2));
  std::thread giver([&] { EXPECT_TRUE(queue.push(2)); });
  AwaitQueueWaiters(1);
  EXPECT_EQ(queue.size(), 1u);
  EXPECT_EQ(queue.pop(), 1);
  giver.join();
  EXPECT_EQ(queue.pop(), 2);
}

TYPED_TEST(QueueTest, ATimeThatHasComeEndsTheWait) {
  TypeParam queue(1);
  EXPECT_EQ(queue.try_pop_for(-1h), std::nullopt);
  EXPECT_EQ(queue.try_pop_for(1ms), std::nullopt);
  EXPECT_EQ(queue.try_pop_until(steady_clock::time_point::min()), std::nullopt);
  EXPECT_TRUE(queue.try_push_for(1, -1h));
  EXPECT_FALSE(queue.try_push_for(2, 1ms));
  EXPECT_FALSE(queue.try_push_until(2, std::chrono::system_clock::now() + 1ms));
  EXPECT_EQ(queue.try_pop_for(std::chrono::hours::max()), 1);
  EXPECT_TRUE(queue.try_push_until(3, steady_clock::time_point::max()));
  EXPECT_EQ(queue.try_pop_until(steady_clock::now() - 1h), 3);
}

TYPED_TEST(QueueTest, ClosingLetsAllGoAndLeavesWhatIsIn) {
  TypeParam full(1), empty;
  EXPECT_TRUE(full.push(1));
  std::thread giver([&] { EXPECT_FALSE(full.push(2)); });
  std::thread one([&] { EXPECT_EQ(empty.pop(), std::nullopt); });
  std::thread two([&] { EXPECT_EQ(empty.try_pop_for(1h), std::nullopt); });
  AwaitQueueWaiters(3);
  full.close();
  empty.close();
  giver.join();
  one.join();
  two.join();
  EXPECT_TRUE(full.closed());
  EXPECT_EQ(full.pop(), 1);
  EXPECT_EQ(full.pop(), std::nullopt);
  EXPECT_FALSE(full.push(3));
  EXPECT_EQ(full.try_pop_until(steady_clock::time_point::max()), std::nullopt);
}

TYPED_TEST(QueueTest, JoinWaitsUntilEveryItemWasDone) {
  TypeParam queue;
  queue.join();
  EXPECT_TRUE(queue.push(1));
  EXPECT_TRUE(queue.push(2));
  EXPECT_FALSE(queue.join_for(1ms));
  std::thread joiner([&] { queue.join(); });
  AwaitQueueWaiters(1);
  for (int i = 0; i < 2; ++i) {
    EXPECT_TRUE(queue.pop().has_value());
    queue.task_done();
  }
  joiner.join();
  EXPECT_TRUE(queue.join_for(-1h));
  EXPECT_THROW(queue.task_done(), std::system_error);
}

TYPED_TEST(QueueTest, NothingIsLostOrDoubledOnTheWay) {
  constexpr int kThreads = 2, kEach = 2000;
  TypeParam queue(4);
  std::vector<std::thread> givers, takers;
  std::vector<std::vector<int>> taken(kThreads);
  for (int t = 0; t < kThreads; ++t) {
    takers.emplace_back([&, t] {
      while (const std::optional<int> item = queue.pop()) {
        taken[t].push_back(*item);
        queue.task_done();
      }
    });
    givers.emplace_back([&, t] {
      for (int i = 0; i < kEach; ++i) EXPECT_TRUE(queue.push(t * kEach + i));
    });
  }
  for (std::thread& giver : givers) giver.join();
  queue.join();
  queue.close();
  for (std::thread& taker : takers) taker.join();
  std::vector<int> all;
  for (const std::vector<int>& some : taken) all.insert(all.end(), some.begin(), some.end());
  std::sort(all.begin(), all.end());
  ASSERT_EQ(all.size(), static_cast<size_t>(kThreads * kEach));
  for (size_t i = 0; i < all.size(); ++i) EXPECT_EQ(all[i], static_cast<int>(i));
}

template <class Q>
std::vector<int> OrderOf(Q& queue) {
  for (int item : {2, 3, 1}) EXPECT_TRUE(queue.push(item));
  std::vector<int> order;
  while (std::optional<int> item = queue.try_pop()) order.push_back(*item);
  return order;
}

TEST(QueueOrderTest, FirstInLastInAndByPriority) {
  Queue<int> fifo;
  LifoQueue<int> lifo;
  PriorityQueue<int> largest;
  PriorityQueue<int, std::greater<int>> smallest;
  EXPECT_EQ(OrderOf(fifo), (std::vector<int>{2, 3, 1}));
  EXPECT_EQ(OrderOf(lifo), (std::vector<int>{1, 3, 2}));
  EXPECT_EQ(OrderOf(largest), (std::vector<int>{3, 2, 1}));
  EXPECT_EQ(OrderOf(smallest), (std::vector<int>{1, 2, 3}));
}

TEST(QueueItemsTest, WhatCanOnlyBeMovedIsMovedOnceItIsIn) {
  Queue<std::unique_ptr<int>> queue(1);
  EXPECT_TRUE(queue.push(std::make_unique<int>(1)));
  auto item = std::make_unique<int>(2);
  EXPECT_FALSE(queue.try_push(std::move(item)));
  ASSERT_NE(item, nullptr);
  EXPECT_EQ(**queue.pop(), 1);
}

}  // namespace
}  // namespace lockwarden
