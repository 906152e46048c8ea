// JThread and SharedFuture: what std::jthread and std::shared_future promise. Holds with recording
// compiled out, too.
#include "lockwarden/jthread.h"

#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <stdexcept>
#include <string>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

#include "lockwarden/lockwarden.h"

namespace lockwarden {
namespace {

using namespace std::chrono_literals;

TEST(JThreadTest, IsAskedToStopAndJoinedWhenItGoes) {
  std::atomic<bool> ended{false};
  {
    const JThread thread("worker", [&](std::stop_token stop) {
      while (!stop.stop_requested()) std::this_thread::yield();
      ended = true;
    });
    EXPECT_STREQ(thread.name(), "worker");
    EXPECT_TRUE(thread.joinable());
  }
  EXPECT_TRUE(ended);
}

TEST(JThreadTest, ABodyNeedNotTakeAToken) {
  int sum = 0;
  {
    const JThread thread([&](int a, int b) { sum = a + b; }, 2, 3);
  }
  EXPECT_EQ(sum, 5);
  {
    const JThread thread([&](std::stop_token stop, int a) { sum = stop.stop_possible() ? a : 0; },
                         7);
  }
  EXPECT_EQ(sum, 7);
}

TEST(JThreadTest, AssignmentStopsAndJoinsWhatItWas) {
  std::atomic<int> ended{0};
  const auto body = [&](std::stop_token stop) {
    while (!stop.stop_requested()) std::this_thread::yield();
    ++ended;
  };
  JThread first(body), second(body);
  const std::stop_token token = second.get_stop_token();
  first = std::move(second);
  EXPECT_EQ(ended, 1);
  EXPECT_FALSE(token.stop_requested());
  EXPECT_FALSE(second.joinable());
  EXPECT_TRUE(first.request_stop());
  EXPECT_FALSE(first.request_stop());
  first.join();
  EXPECT_EQ(ended, 2);
  EXPECT_TRUE(token.stop_requested());
}

TEST(JThreadTest, OfNoThreadThereIsNothingToStopOrToJoin) {
  JThread none;
  EXPECT_FALSE(none.joinable());
  EXPECT_FALSE(none.request_stop());
  EXPECT_FALSE(none.get_stop_token().stop_possible());
  EXPECT_THROW(none.join(), std::system_error);
  EXPECT_THROW(none.detach(), std::system_error);
}

TEST(JThreadTest, JoinThrowsWhatTheBodyThrew) {
  JThread thread([] { throw std::runtime_error("lost?"); });
  EXPECT_THROW(thread.join(), std::runtime_error);
  EXPECT_FALSE(thread.joinable());
}

TEST(JThreadDeathTest, WhatNobodyJoinedForIsNotLost) {
  EXPECT_DEATH({ const JThread thread([] { throw std::runtime_error("lost?"); }); }, "lost[?]");
}

TEST(JThreadTest, AStopCallbackEndsAWait) {
  Lock lock;
  Condition condition;
  bool stopped = false;
  JThread thread([&](std::stop_token stop) {
    const std::stop_callback wake(stop, [&] {
      {
        const std::lock_guard hold(lock);
        stopped = true;
      }
      condition.notify_all();
    });
    std::unique_lock hold(lock);
    condition.wait(hold, [&] { return stopped; });
  });
  thread.request_stop();
  thread.join();
  EXPECT_TRUE(stopped);
}

TEST(JThreadTest, AFutureMayBeExpectedFromIt) {
  Promise<int> promise;
  Future<int> future = promise.get_future();
  JThread thread([&] { promise.set_value(1); });
  future.expect_from(thread.thread());
  EXPECT_EQ(future.get(), 1);
}

TEST(SharedFutureTest, EveryCopyGetsTheSameValueAsOftenAsItLikes) {
  Promise<std::string> promise("words");
  SharedFuture<std::string> all = promise.get_future().share();
  std::vector<JThread> readers;
  std::atomic<int> right{0};
  for (int i = 0; i < 4; ++i) {
    readers.emplace_back([mine = all, &right] {
      if (mine.get() == "hello" && &mine.get() == &mine.get()) ++right;
    });
  }
  promise.set_value("hello");
  readers.clear();
  EXPECT_EQ(right, 4);
  EXPECT_EQ(&all.get(), &SharedFuture<std::string>(all).get());
  EXPECT_TRUE(all.valid());
}

TEST(SharedFutureTest, EveryCopyGetsTheSameErrorAsOftenAsItLikes) {
  Promise<int> promise;
  const SharedFuture<int> all(promise.get_future());
  promise.set_exception(std::make_exception_ptr(std::runtime_error("no")));
  for (int i = 0; i < 3; ++i) EXPECT_THROW(all.get(), std::runtime_error);
  const SharedFuture<int> copy = all;
  EXPECT_THROW(copy.get(), std::runtime_error);
}

TEST(SharedFutureTest, ABrokenPromiseIsKnownToAll) {
  auto promise = std::make_unique<Promise<void>>();
  const SharedFuture<void> all = promise->get_future().share();
  EXPECT_EQ(all.wait_for(0s), std::future_status::timeout);
  EXPECT_EQ(all.wait_until(std::chrono::steady_clock::now() - 1h), std::future_status::timeout);
  promise.reset();
  EXPECT_EQ(all.wait_for(-1h), std::future_status::ready);
  for (int i = 0; i < 2; ++i) {
    try {
      all.get();
      ADD_FAILURE() << "a promise that was not kept";
    } catch (const std::future_error& error) {
      EXPECT_EQ(error.code(), std::future_errc::broken_promise);
    }
  }
}

TEST(SharedFutureTest, ReferencesVoidAndNothing) {
  int target = 0;
  Promise<int&> promise;
  const SharedFuture<int&> reference = promise.get_future().share();
  promise.set_value(target);
  reference.get() = 5;
  EXPECT_EQ(target, 5);
  Promise<void> done;
  const SharedFuture<void> finished = done.get_future().share();
  done.set_value();
  finished.get();
  finished.get();
  SharedFuture<int> none;
  EXPECT_FALSE(none.valid());
  EXPECT_THROW(none.get(), std::future_error);
  EXPECT_THROW(none.wait(), std::future_error);
  Future<int> given = Promise<int>().get_future();
  none = given.share();
  EXPECT_FALSE(given.valid());
  EXPECT_TRUE(none.valid());
}

TEST(FutureCornersTest, EachPartIsUsedOnce) {
  const auto code = [](auto call) {
    try {
      call();
    } catch (const std::future_error& error) {
      return error.code();
    }
    return std::error_code();
  };
  Promise<int> promise;
  Future<int> future = promise.get_future();
  EXPECT_EQ(code([&] { static_cast<void>(promise.get_future()); }),
            std::future_errc::future_already_retrieved);
  promise.set_value(1);
  EXPECT_EQ(code([&] { promise.set_value(2); }), std::future_errc::promise_already_satisfied);
  EXPECT_EQ(code([&] { promise.set_exception(std::make_exception_ptr(1)); }),
            std::future_errc::promise_already_satisfied);
  EXPECT_EQ(future.get(), 1);
  EXPECT_EQ(code([&] { future.get(); }), std::future_errc::no_state);
  EXPECT_EQ(code([&] { future.wait(); }), std::future_errc::no_state);
  const Promise<int> moved = std::move(promise);
  EXPECT_EQ(code([&] { promise.set_value(3); }), std::future_errc::no_state);
  EXPECT_EQ(code([&] { static_cast<void>(promise.get_future()); }), std::future_errc::no_state);
}

struct Uncopyable {
  explicit Uncopyable(bool fails) : fails_(fails) {}
  Uncopyable(const Uncopyable& other) : fails_(other.fails_) {
    if (fails_) throw std::runtime_error("cannot be copied");
  }
  bool fails_;
};

TEST(FutureCornersTest, AValueThatCannotBeCopiedWasNotSet) {
  Promise<Uncopyable> promise;
  Future<Uncopyable> future = promise.get_future();
  const Uncopyable bad(true), good(false);
  EXPECT_THROW(promise.set_value(bad), std::runtime_error);
  EXPECT_EQ(future.wait_for(0s), std::future_status::timeout);
  promise.set_value(good);
  EXPECT_FALSE(future.get().fails_);
}

}  // namespace
}  // namespace lockwarden
