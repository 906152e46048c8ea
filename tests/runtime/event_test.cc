// Event: set, clear, wait, in every order.
#include "lockwarden/event.h"

#include <gtest/gtest.h>

#include <memory>
#include <thread>
#include <vector>

#include "tests/runtime/waiting.h"

namespace lockwarden {
namespace {

using namespace std::chrono_literals;
using std::chrono::steady_clock;
using std::chrono::system_clock;

constinit Event global_event("global");

TEST(EventTest, WhatIsSetIsNotWaitedFor) {
  EXPECT_FALSE(global_event.is_set());
  global_event.set();
  global_event.set();
  EXPECT_TRUE(global_event.is_set());
  global_event.wait();
  EXPECT_TRUE(global_event.wait_for(-1h));
  EXPECT_TRUE(global_event.wait_until(steady_clock::time_point::min()));
  EXPECT_TRUE(global_event.wait_for(std::chrono::hours::max()));
  global_event.clear();
  global_event.clear();
  EXPECT_FALSE(global_event.is_set());
  EXPECT_FALSE(global_event.wait_for(1ms));
  EXPECT_STREQ(global_event.name(), "global");
  EXPECT_GT(global_event.id(), 0u);
}

TEST(EventTest, ATimeThatHasComeEndsTheWait) {
  Event event;
  EXPECT_FALSE(event.wait_for(0s));
  EXPECT_FALSE(event.wait_for(std::chrono::hours::min()));
  EXPECT_FALSE(event.wait_until(steady_clock::now() - 1h));
  EXPECT_FALSE(event.wait_until(system_clock::now() + 1ms));
  EXPECT_FALSE(event.wait_until(system_clock::time_point::min()));
  EXPECT_EQ(WaitersOf(&event).count, 0);
}

TEST(EventTest, SettingItLetsAllGoWhoWait) {
  Event event;
  int data = 0;  // plain: set and wait order it
  std::vector<std::thread> waiters;
  for (int i = 0; i < 3; ++i) {
    waiters.emplace_back([&, i] {
      if (i == 0) {
        EXPECT_TRUE(event.wait_for(1h));
      } else {
        event.wait();
      }
      EXPECT_EQ(data, 7);
    });
  }
  AwaitWaiters(&event, 3);
  EXPECT_EQ(WaitersOf(&event).timed, 1);
  data = 7;
  event.set();
  for (std::thread& waiter : waiters) waiter.join();
}

TEST(EventTest, WhoWaitedGoesOnThoughItIsClearedAtOnce) {
  for (int round = 0; round < 50; ++round) {
    Event event;
    std::thread one([&] { event.wait(); });
    std::thread two([&] { EXPECT_TRUE(event.wait_for(1h)); });
    AwaitWaiters(&event, 2);  // recorded after they have looked at it, not set
    event.set();
    event.clear();
    one.join();
    two.join();
    EXPECT_FALSE(event.is_set());
  }
}

TEST(EventTest, WhoWaitedForItMayDestroyIt) {
  for (int round = 0; round < 200; ++round) {
    auto event = std::make_unique<Event>();
    std::thread setter([set = event.get()] { set->set(); });
    event->wait();
    event.reset();
    setter.join();
  }
}

TEST(EventStressTest, ThreadsThatTakeTurnsNeverMissOne) {
  constexpr int kRounds = 3000;
  Event ping, pong;
  std::thread other([&] {
    for (int i = 0; i < kRounds; ++i) {
      ping.wait();
      ping.clear();
      pong.set();
    }
  });
  for (int i = 0; i < kRounds; ++i) {
    ping.set();
    if (i % 2 == 0) {
      pong.wait();
    } else {
      while (!pong.wait_for(50us)) {
      }
    }
    pong.clear();
  }
  other.join();
}

}  // namespace
}  // namespace lockwarden
