// From a ledger to classes, waits and holds: a ledger in memory, a clock that the test moves.
#include "exporter/live_model.h"

#include <gtest/gtest.h>

#include <cmath>
#include <random>
#include <string>

#include "exporter/lock_tally.h"
#include "tests/watchdog/ledger_builder.h"

namespace lockwarden {
namespace {

using ledger::LockKind;
using ledger::Mode;
using ledger::PackedRef;

constexpr uint64_t kMs = 1'000'000;

PackedRef Held(PackedRef ref, Mode mode = Mode::kExclusive) {
  return ref | static_cast<uint8_t>(mode);
}

class LiveModelTest : public testing::Test {
 protected:
  // A lock of a class that the program has named.
  PackedRef AddLock(const std::string& class_name, LockKind kind = LockKind::kMutex) {
    const PackedRef ref = ledger_.AddLock(kind, next_address_ += 64, 0);
    SetClass(ref, class_name);
    return ref;
  }
  void SetClass(PackedRef ref, const std::string& class_name) {
    const uint32_t index = ledger_.ledger().Allocate(ledger::kClasses);
    auto& record = ledger_.ledger().Table<ledger::LockClassRecord>(ledger::kClasses)[index];
    record.name = ledger_.AddName(class_name);
    ledger_.lock(ref).lock_class = index + 1;
  }
  ledger::ClassTotals& Totals(PackedRef ref) {
    auto* classes = ledger_.ledger().Table<ledger::LockClassRecord>(ledger::kClasses);
    return classes[ledger_.lock(ref).lock_class - 1].totals;
  }
  std::vector<ServedLedger> Ledgers() {
    if (reader_ == nullptr) reader_ = ledger_.Reader();
    return {{100, true, reader_}};
  }
  // `now_ns` moves on, then the model looks.
  std::shared_ptr<const LiveView> Look(uint64_t after_ns) {
    now_ns_ += after_ns;
    model_.Look(Ledgers(), {}, {now_ns_, static_cast<double>(now_ns_) / 1e9});
    return model_.View();
  }
  static ClassSeries Class(const LiveView& view, const std::string& name) {
    for (const ClassSeries& series : view.classes) {
      if (series.name == name) return series;
    }
    return {.name = "missing", .counts = {}, .times = {}};
  }

  LedgerBuilder ledger_;
  uint64_t next_address_ = 0x5000;
  uint64_t now_ns_ = 10'000 * kMs;
  std::shared_ptr<const LedgerReader> reader_;
  LiveModel model_{{.classes_shown = 2}};
};

TEST_F(LiveModelTest, CountsOfRecordsAndCachesAreAddedUpByClassAndEndedOnesKept) {
  const PackedRef a = AddLock("a"), b = AddLock("a");
  const uint32_t slot = ledger_.AddThread(101, "worker");
  Totals(a).exclusive = 3;
  Totals(a).shared = 2;
  Totals(b).wait_ns = 2'000'000'000;
  ledger::ClassTally& tally = ledger_.thread(slot).class_tallies[1];
  tally.lock_class = ledger_.lock(a).lock_class.load();
  tally.exclusive = 1;
  tally.contentions = 2;
  ledger::LockCacheEntry& entry = ledger_.thread(slot).lock_cache[3];
  entry.lock = a;
  entry.lock_class = ledger_.lock(a).lock_class | ledger::kSettled;
  entry.exclusive = 5;
  entry.shared = 1;
  const auto view = Look(kMs);
  EXPECT_EQ(Class(*view, "a").counts.acquisitions, 12u);
  EXPECT_EQ(Class(*view, "a").counts.shared, 3u);
  EXPECT_EQ(Class(*view, "a").counts.contentions, 2u);
  EXPECT_EQ(Class(*view, "a").counts.wait_seconds, 2);
  // Moved to the tally, then more of it; and after that the process has ended.
  entry.exclusive = 0;
  tally.exclusive = 6;
  EXPECT_EQ(Class(*Look(1000 * kMs), "a").counts.acquisitions, 12u);
  tally.exclusive = 14;
  model_.Look({}, Ledgers(), {now_ns_, 1});
  EXPECT_EQ(Class(*model_.View(), "a").counts.acquisitions, 20u);
}

TEST_F(LiveModelTest, WhatWasCountedBeforeTheCountWrappedRoundIsKept) {
  const PackedRef a = AddLock("a");
  Totals(a).shared = 0xffff'fff0;  // looked at late
  EXPECT_EQ(Class(*Look(kMs), "a").counts.acquisitions, 0xffff'fff0u);
  Totals(a).shared = 0x10;
  EXPECT_EQ(Class(*Look(1000 * kMs), "a").counts.acquisitions, 0x1'0000'0010u);
  Totals(a).shared = 0xe;  // on its way from one place to another
  EXPECT_EQ(Class(*Look(1000 * kMs), "a").counts.acquisitions, 0x1'0000'0010u);
}

TEST_F(LiveModelTest, UnitsOfASemaphoreThatOthersPostAreNoAcquisitions) {
  const uint32_t slot = ledger_.AddThread(101, "worker");
  uint32_t at = 0;
  const auto take_one = [&](const std::string& name) {
    const PackedRef semaphore = AddLock(name, LockKind::kSemaphore);
    ledger::LockCacheEntry& entry = ledger_.thread(slot).lock_cache[at++];
    entry.lock = semaphore;
    entry.lock_class = ledger_.lock(semaphore).lock_class.load();
    entry.exclusive = 1;
    return semaphore;
  };
  ledger_.lock(take_one("work")).foreign_releases = 1;
  ledger_.lock(take_one("lock")).own_releases = 1;
  const auto view = Look(kMs);
  EXPECT_EQ(Class(*view, "work").name, "missing");
  EXPECT_EQ(Class(*view, "lock").counts.acquisitions, 1u);
}

TEST_F(LiveModelTest, LocksWithoutAClassAreCountedAmongTheOthers) {
  ledger_.header().without_class.exclusive = 4;
  EXPECT_EQ(Class(*Look(kMs), "other").counts.acquisitions, 4u);
}

TEST_F(LiveModelTest, ClassesBeyondTheSeatsAreOneSeriesAndCounted) {
  for (int i = 0; i < 5; ++i) Totals(AddLock(std::to_string(i))).wait_ns = 1000u << i;
  const auto view = Look(kMs);
  ASSERT_EQ(view->classes.size(), 3u);
  EXPECT_EQ(Class(*view, "4").counts.wait_seconds, 16e-6);
  EXPECT_EQ(Class(*view, "3").counts.wait_seconds, 8e-6);
  EXPECT_NEAR(Class(*view, "other").counts.wait_seconds, 7e-6, 1e-12);
  EXPECT_EQ(view->classes_folded, 3u);
}

TEST_F(LiveModelTest, AWaitForALockHasItsBeginningAndAnIdleWorkerIsNone) {
  const PackedRef lock = AddLock("a");
  const PackedRef condition = AddLock("a", LockKind::kCondition);
  const uint32_t waiter = ledger_.AddThread(101, "waiter"), idle = ledger_.AddThread(102, "idle");
  ledger_.BeginWait(waiter, Held(lock), 0, 0x4000);
  ledger_.BeginWait(idle, Held(condition, Mode::kSignal), 0, 0x4000);
  const auto view = Look(kMs);
  EXPECT_EQ(Class(*view, "a").waiters, 1u);
  EXPECT_EQ(Class(*view, "a").oldest_wait_seconds, 0.5);  // as LedgerBuilder says
  ASSERT_EQ(view->threads.size(), 2u);
  EXPECT_EQ(view->threads[0].name, "waiter");
  EXPECT_EQ(view->threads[0].waits_mode, "exclusive");
}

TEST_F(LiveModelTest, AHoldIsAsOldAsItsThreadHasAcquiredNothing) {
  const PackedRef a = AddLock("a");
  const uint32_t slot = ledger_.AddThread(101, "holder");
  ledger_.Hold(slot, Held(a), 0x4000);
  const auto first = Look(kMs);
  const double since = Class(*first, "a").oldest_hold_seconds;
  EXPECT_EQ(since, first->time_seconds);
  EXPECT_EQ(Class(*Look(3000 * kMs), "a").oldest_hold_seconds, since);
  ledger_.Release(slot, a);
  ledger_.Hold(slot, Held(a), 0x4000);
  const auto again = Look(1000 * kMs);
  EXPECT_EQ(Class(*again, "a").oldest_hold_seconds, again->time_seconds);
  ledger_.Release(slot, a);
  EXPECT_EQ(Class(*Look(kMs), "a").oldest_hold_seconds, kNeverSeconds);
}

// A lock that is held 3 ms of every 10 ms, looked at for ten minutes of the program's time.
TEST_F(LiveModelTest, SampledHoldTimeIsRightWithinItsStatedError) {
  const PackedRef a = AddLock("a");
  const uint32_t slot = ledger_.AddThread(101, "holder");
  std::minstd_rand random(7);
  std::uniform_real_distribution<double> pause_ms(50, 150);
  constexpr int kLooks = 6000;
  bool held = false;
  double seconds = 0;
  Look(kMs);
  const uint64_t begin_ns = now_ns_;
  for (int i = 0; i < kLooks; ++i) {
    const auto pause_ns = static_cast<uint64_t>(pause_ms(random) * 1e6);
    const bool now_held = (now_ns_ + pause_ns - begin_ns) % (10 * kMs) < 3 * kMs;
    if (held) ledger_.Release(slot, a);
    if (now_held) ledger_.Hold(slot, Held(a), 0x4000);
    held = now_held;
    seconds = Class(*Look(pause_ns), "a").counts.hold_seconds;
  }
  const double truth = 0.3 * static_cast<double>(now_ns_ - begin_ns) / 1e9;
  // docs/metrics.md: sqrt((1 - share) / hits); four times that.
  const double error = std::sqrt((1 - 0.3) / (0.3 * kLooks));
  EXPECT_NEAR(seconds / truth, 1, 4 * error);
  EXPECT_NE(seconds, truth);  // it is an estimate
}

// The ledger's counts wrap round; what has no seat is part of `other` for good.
TEST_F(LiveModelTest, TimesAreAddedUpByClassAlsoWhenTheirCountsWrapRound) {
  const PackedRef locks[] = {AddLock("a"), AddLock("b"), AddLock("c")};
  const auto times = [&](int i) -> ledger::LockTimes& {
    auto* classes = ledger_.ledger().Table<ledger::LockClassRecord>(ledger::kClasses);
    return classes[ledger_.lock(locks[i]).lock_class - 1].times;
  };
  const uint32_t slot = ledger_.AddThread(101, "holder");
  for (const PackedRef lock : locks) ledger_.Hold(slot, Held(lock), 0x4000);
  times(0).waits[3] = 0xfffffff0;
  times(1).holds[0] = 7;
  times(2).holds[0] = 1;
  const auto first = Look(kMs);
  EXPECT_EQ(Class(*first, "a").times.waits[3], 0xfffffff0u);
  EXPECT_EQ(Class(*first, "b").times.holds[0], 7u);
  EXPECT_EQ(Class(*first, "other").times.holds[0], 1u);
  times(0).waits[3] = 0x10;
  times(2).holds[0] = 3;
  const auto second = Look(1000 * kMs);
  EXPECT_EQ(Class(*second, "a").times.waits[3], 0x100000010u);
  EXPECT_EQ(Class(*second, "other").times.holds[0], 3u);
}

TEST_F(LiveModelTest, ALedgerThatMakesNoSenseIsShownAsFarAsItDoes) {
  const PackedRef a = AddLock("a");
  const uint32_t slot = ledger_.AddThread(101, "thread");
  ledger_.Hold(slot, Held(a), 0x4000);
  ledger_.lock(a).lock_class = 0x7fffffff;
  ledger_.thread(slot).held[0].lock = ledger::Pack(0x00ffffff, 1, 1);
  ledger_.thread(slot).lock_cache[0].lock = ledger::Pack(0xfffffffe, 1, 0);
  ledger_.thread(slot).lock_cache[0].exclusive = 9;
  ledger_.thread(slot).lock_cache[1].lock = a;
  ledger_.thread(slot).lock_cache[1].lock_class = 0x7fffffff;
  ledger_.thread(slot).lock_cache[1].exclusive = 9;
  ledger_.thread(slot).class_tallies[0].lock_class = 0xffffffff;
  ledger_.thread(slot).class_tallies[0].contentions = 9;
  const auto view = Look(kMs);
  EXPECT_EQ(view->classes.back().name, "other");
}

TEST(ClassBookTest, ASeatIsLostOnlyToTwiceTheWaitAndNothingIsCountedTwice) {
  ClassBook book(1, 10);
  const auto name = [](uint32_t number) { return std::to_string(number); };
  const uint32_t a = book.Number(1), b = book.Number(2);
  book.Add(a, {.wait_seconds = 10});
  book.Reseat(name);
  book.Add(b, {.wait_seconds = 15});
  book.Reseat(name);
  EXPECT_TRUE(book.HasSeat(a));
  EXPECT_EQ(book.other().wait_seconds, 15);
  book.Add(b, {.wait_seconds = 6});
  book.Reseat(name);
  EXPECT_TRUE(book.HasSeat(b));
  EXPECT_FALSE(book.HasSeat(a));
  EXPECT_EQ(book.CountsOf(b).wait_seconds, 6);  // what came before stays in `other`
  book.Add(a, {.wait_seconds = 1});
  book.Reseat(name);
  EXPECT_EQ(book.other().wait_seconds, 16);
  EXPECT_EQ(book.CountsOf(a).wait_seconds, 10);
  EXPECT_EQ(book.folded(), 2u);
}

TEST(ClassBookTest, MoreClassesThanAreRememberedAreCountedAllTheSame) {
  ClassBook book(1, 1);
  book.Number(1);
  const uint32_t number = book.Number(2);
  EXPECT_EQ(number, ClassBook::kNone);
  book.Add(number, {.acquisitions = 4});
  EXPECT_EQ(book.other().acquisitions, 4u);
}

}  // namespace
}  // namespace lockwarden
