// Who is written down as one that ends waits for what nobody holds.
#include "runtime/helpers.h"

#include <gtest/gtest.h>

#include <deque>
#include <thread>

#include "lockwarden/lockwarden.h"
#include "runtime/condition_signals.h"
#include "runtime/recorder.h"
#include "tests/runtime/waiting.h"

namespace lockwarden {
namespace {

// Threads that have the object on their lists, and how many were counted.
struct Helpers {
  uint32_t listed = 0, counted = 0;
};

ledger::LockRecord* RecordOf(const void* object) {
  const ledger::PackedRef ref = ledger::FindLock(object);
  if (ref == 0) return nullptr;
  return &ledger::TheLedger().Table<ledger::LockRecord>(ledger::kLocks)[ledger::IndexOf(ref)];
}

Helpers HelpersAt(const void* object) {
  const ledger::PackedRef ref = ledger::FindLock(object);
  if (ref == 0) return {};
  const ledger::Ledger book = ledger::TheLedger();
  const auto* threads = book.Table<ledger::ThreadRecord>(ledger::kThreads);
  Helpers helpers;
  const uint32_t used = book.header().tables[ledger::kThreads].used;
  for (uint32_t i = 0; i < used; ++i) {
    const uint64_t count = threads[i].helped_count;
    for (uint64_t at = 0; at < count; ++at) {
      if (threads[i].helped[at] == ledger::WithoutMode(ref)) ++helpers.listed;
    }
  }
  helpers.counted = ledger::HelperCount(*RecordOf(object));
  return helpers;
}

void ExpectHelpers(const void* object, uint32_t count) {
  const Helpers helpers = HelpersAt(object);
  EXPECT_EQ(helpers.listed, count);
  EXPECT_EQ(helpers.counted, count);
}

TEST(HelpersTest, EachThreadThatSetsAnEventIsWrittenDownOnce) {
  Event event("event");
  for (int i = 0; i < 5; ++i) event.set();
  ExpectHelpers(&event, 1);
  std::thread([&] {
    event.set();
    ExpectHelpers(&event, 2);
  }).join();
  event.set();
  ExpectHelpers(&event, 2);
}

TEST(HelpersTest, ThoseThatComeToABarrierSayHowManyMakeARound) {
  Barrier barrier(2, {}, "barrier");
  std::thread other([&] { barrier.wait(); });
  AwaitWaiters(&barrier, 1);
  const ledger::Ledger book = ledger::TheLedger();
  const auto* threads = book.Table<ledger::ThreadRecord>(ledger::kThreads);
  bool told = false;
  const uint32_t used = book.header().tables[ledger::kThreads].used;
  for (uint32_t i = 0; i < used; ++i) {
    const ledger::WaitSlot& slot = threads[i].frame0.wait;
    told |= ledger::ModeOf(slot.wait) == ledger::Mode::kArrive && slot.peer == 2;
  }
  EXPECT_TRUE(told);
  barrier.wait();
  ExpectHelpers(&barrier, 2);
  other.join();
}

TEST(HelpersTest, ANotificationOfAQueueIsHelp) {
  Condition filled("queue", internal::WaitKind::kQueue);
  filled.notify_one();
  ExpectHelpers(&filled, 1);
  std::thread([&] {
    filled.notify_all();
    filled.NoteHelp();
    ExpectHelpers(&filled, 2);
  }).join();
}

TEST(HelpersTest, AQueueKnowsWhoPutsInAndWhoTakesOut) {
  const auto helped = [] { return ledger::this_thread.record->helped_count.load(); };
  Queue<int> queue(2, "queue");
  queue.push(1);
  const uint64_t before = helped();
  queue.push(2);
  EXPECT_EQ(helped(), before);
  queue.pop();
  EXPECT_EQ(helped(), before + 1);
  queue.task_done();
  queue.pop();
  EXPECT_EQ(helped(), before + 2) << "who has taken out an item has it to do";
}

TEST(HelpersTest, ASignallerOfAConditionIsKnownAsOne) {
  Condition condition("condition");
  condition.notify_one();
  ledger::LockRecord* const record = RecordOf(&condition);
  ASSERT_NE(record, nullptr);
  EXPECT_EQ(ledger::Signallers(*record), ledger::this_thread.record->serial);
  EXPECT_EQ(ledger::SignalMarks(*record) / ledger::kOneUnheard, 1u);
  EXPECT_EQ(ledger::SignalMarks(*record) & ledger::kSomebodyHeard, 0u);
  Lock lock;
  bool go = false;
  std::thread waiter([&] {
    std::unique_lock hold(lock);
    condition.wait(hold, [&] { return go; });
  });
  AwaitWaiters(&condition, 1);
  {
    const std::lock_guard hold(lock);
    go = true;
  }
  condition.notify_one();
  waiter.join();
  EXPECT_NE(ledger::SignalMarks(*record) & ledger::kSomebodyHeard, 0u);
}

TEST(HelpersTest, AListThatIsFullMakesItUnknownAndWhatHasEndedMakesRoom) {
  std::thread([] {
    std::deque<Event> events(ledger::kHelpedCapacity + 1);
    for (Event& event : events) event.set();
    ExpectHelpers(&events.front(), 1);
    EXPECT_EQ(HelpersAt(&events.back()).listed, 0u);
    EXPECT_EQ(HelpersAt(&events.back()).counted, ledger::kUnlistedHelpers);
    events.pop_front();
    events.emplace_back();
    events.back().set();
    ExpectHelpers(&events.back(), 1);
  }).join();
}

TEST(HelpersTest, WhatStandsThereNextHasNoHelpersYet) {
  alignas(Event) unsigned char memory[sizeof(Event)];
  Event* event = new (memory) Event;
  event->set();
  event->~Event();
  event = new (memory) Event;
  std::thread([&] { event->set(); }).join();
  EXPECT_EQ(HelpersAt(event).counted, 1u);
  event->~Event();
}

}  // namespace
}  // namespace lockwarden
