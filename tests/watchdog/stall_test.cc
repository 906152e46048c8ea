// Stalls: which heartbeats and waits are told, what is said of the thread, and when on_stall
// acts. The clock, the ledger and the kernel are the test's.
#include <gtest/gtest.h>

#include <sys/syscall.h>

#include <csignal>

#include "tests/watchdog/scene.h"
#include "watchdog/clock_trust.h"
#include "watchdog/heartbeat_totals.h"
#include "watchdog/stall_policy.h"
#include "watchdog/stall_watch.h"

namespace lockwarden {
namespace {

using ledger::HeartbeatState;

constexpr uint64_t kSecond = 1'000'000'000;
constexpr uint64_t kTick = 100'000'000;

class StallTest : public testing::Test {
 protected:
  // A heartbeat that thread `slot` beats, last at Scene::kStart.
  uint32_t Heartbeat(uint32_t slot, const std::string& name, uint64_t deadline_ns,
                     HeartbeatState state = HeartbeatState::kBeating) {
    const uint32_t index = scene_.book.ledger().Allocate(ledger::kHeartbeats);
    ledger::HeartbeatRecord& record = At(index);
    record.name = scene_.book.AddName(name);
    record.deadline_ns = deadline_ns;
    record.last_ns = Scene::kStart;
    record.thread_serial = scene_.SerialOf(slot);
    record.beats = 7;
    record.state = ledger::InHeartbeatState(ledger::kHeartbeatUse, state);
    return index;
  }
  ledger::HeartbeatRecord& At(uint32_t index) {
    return scene_.book.ledger().Table<ledger::HeartbeatRecord>(ledger::kHeartbeats)[index];
  }
  // A look each tick up to `until_ns` after Scene::kStart.
  std::vector<Finding> Watch(uint64_t until_ns) {
    std::vector<Finding> stalls;
    while (now_ < Scene::kStart + until_ns) {
      now_ += kTick;
      for (Finding& finding : Only(scene_.Step(now_), FindingKind::kStall)) {
        stalls.push_back(std::move(finding));
      }
    }
    return stalls;
  }

  Scene scene_;
  uint64_t now_ = Scene::kStart;
};

TEST_F(StallTest, AHeartbeatThatStaysAwayIsToldOnce) {
  const uint32_t io = scene_.Thread("io");
  Heartbeat(io, "loop", kSecond);
  EXPECT_TRUE(Watch(kSecond).empty());
  const std::vector<Finding> stalls = Watch(10 * kSecond);
  ASSERT_EQ(stalls.size(), 1u);
  EXPECT_EQ(stalls[0].heartbeat, "loop");
  EXPECT_NE(stalls[0].headline.find("STALL: heartbeat \"loop\" has not beaten for 1.2"),
            std::string::npos)
      << stalls[0].headline;
  EXPECT_EQ(stalls[0].threads[0].tid, scene_.TidOf(io));
  ASSERT_EQ(scene_.judge().stalls().now().size(), 1u);
  EXPECT_EQ(scene_.judge().stalls().misses().at("loop"), 1u);
}

TEST_F(StallTest, WhatBeatsInTimeIsNotTold) {
  const uint32_t beat = Heartbeat(scene_.Thread("io"), "loop", kSecond);
  for (int i = 0; i < 10; ++i) {
    EXPECT_TRUE(Watch(static_cast<uint64_t>(i + 1) * kSecond).empty());
    At(beat).last_ns = now_;
  }
}

TEST_F(StallTest, WhatIsPausedOrIdleOrStoppedBeingUsedIsNotTold) {
  const uint32_t io = scene_.Thread("io");
  Heartbeat(io, "paused", kSecond, HeartbeatState::kPaused);
  Heartbeat(io, "idle", kSecond, HeartbeatState::kIdle);
  Heartbeat(io, "free", kSecond, HeartbeatState::kFree);
  EXPECT_TRUE(Watch(10 * kSecond).empty());
}

TEST_F(StallTest, AfterItHasBeatenAgainItIsToldAgain) {
  const uint32_t beat = Heartbeat(scene_.Thread("io"), "loop", kSecond);
  EXPECT_EQ(Watch(2 * kSecond).size(), 1u);
  At(beat).last_ns = now_;
  EXPECT_TRUE(Watch(now_ - Scene::kStart + kTick).empty());
  EXPECT_TRUE(scene_.judge().stalls().now().empty());
  EXPECT_EQ(Watch(5 * kSecond).size(), 1u);
  EXPECT_EQ(scene_.judge().stalls().misses().at("loop"), 2u);
}

TEST_F(StallTest, AnotherHeartbeatInTheSamePlaceIsAnother) {
  const uint32_t beat = Heartbeat(scene_.Thread("io"), "loop", kSecond);
  EXPECT_EQ(Watch(2 * kSecond).size(), 1u);
  At(beat).state = ledger::InHeartbeatState(2 * ledger::kHeartbeatUse, HeartbeatState::kBeating);
  EXPECT_EQ(Watch(3 * kSecond).size(), 1u);
}

TEST_F(StallTest, SaysWhichLockAndWhoHoldsIt) {
  const uint32_t io = scene_.Thread("io"), db = scene_.Thread("db");
  const auto mutex = scene_.Mutex();
  scene_.Take(db, mutex);
  scene_.Block(io, mutex);
  Heartbeat(io, "loop", kSecond);
  const std::vector<Finding> stalls = Watch(3 * kSecond);
  ASSERT_EQ(stalls.size(), 1u);
  EXPECT_EQ(stalls[0].cause, "lock");
  ASSERT_EQ(stalls[0].threads.size(), 2u);
  EXPECT_TRUE(stalls[0].threads[0].waits);
  EXPECT_EQ(stalls[0].threads[1].name, "db");
  EXPECT_NE(stalls[0].story[1].find("which thread 'db'"), std::string::npos) << stalls[0].story[1];
}

TEST_F(StallTest, SaysWhatTheThreadDoesInstead) {
  struct Case {
    const char* cause;
    std::function<void(FakeKernelView*, uint32_t tid)> arrange;
  };
  const Case cases[] = {
      {"system_call",
       [](FakeKernelView* k, uint32_t tid) {
         k->threads[tid].state = 'S';
         k->threads[tid].syscall = SYS_read;
       }},
      {"uninterruptible", [](FakeKernelView* k, uint32_t tid) { k->threads[tid].state = 'D'; }},
      {"ended", [](FakeKernelView* k, uint32_t tid) { k->threads.erase(tid); }},
      {"running",
       [](FakeKernelView* k, uint32_t tid) {
         k->schedules[tid] = {90, 10};
       }},
      {"starved",
       [](FakeKernelView* k, uint32_t tid) {
         k->schedules[tid] = {10, 90};
       }},
      {"throttled",
       [](FakeKernelView* k, uint32_t tid) {
         k->schedules[tid] = {10, 0};
         k->throttled_us_a_read = 80;
       }},
      {"unknown",
       [](FakeKernelView* k, uint32_t tid) {
         k->threads[tid].state = 'S';
         k->threads[tid].syscall = std::nullopt;
       }},
  };
  for (const Case& c : cases) {
    Scene scene;
    const uint32_t io = scene.Thread("io");
    const uint32_t index = scene.book.ledger().Allocate(ledger::kHeartbeats);
    auto& record = scene.book.ledger().Table<ledger::HeartbeatRecord>(ledger::kHeartbeats)[index];
    record.deadline_ns = kSecond;
    record.last_ns = Scene::kStart;
    record.thread_serial = scene.SerialOf(io);
    record.state = ledger::InHeartbeatState(ledger::kHeartbeatUse, HeartbeatState::kBeating);
    c.arrange(&scene.kernel, scene.TidOf(io));
    std::vector<Finding> stalls;
    for (uint64_t now = Scene::kStart; now < Scene::kStart + 2 * kSecond; now += kTick) {
      for (Finding& f : Only(scene.Step(now), FindingKind::kStall)) stalls.push_back(std::move(f));
    }
    ASSERT_EQ(stalls.size(), 1u) << c.cause;
    EXPECT_EQ(stalls[0].cause, c.cause);
  }
}

TEST_F(StallTest, TimeInWhichTheProcessIsStoppedDoesNotCount) {
  const uint32_t io = scene_.Thread("io");
  Heartbeat(io, "loop", kSecond);
  for (char state : {'T', 't'}) {
    scene_.kernel.threads[scene_.TidOf(io)].state = state;
    EXPECT_TRUE(Watch(now_ - Scene::kStart + 20 * kSecond).empty()) << state;
  }
  EXPECT_GT(scene_.judge().stalls().stops(), 0u);
  scene_.kernel.threads[scene_.TidOf(io)].state = 'R';
  EXPECT_TRUE(Watch(now_ - Scene::kStart + kSecond / 2).empty()) << "it has its deadline anew";
  EXPECT_EQ(Watch(now_ - Scene::kStart + 5 * kSecond).size(), 1u);
}

TEST_F(StallTest, TimeInWhichNobodyLookedDoesNotCount) {
  Heartbeat(scene_.Thread("io"), "loop", kSecond);
  now_ += 60 * kSecond;
  scene_.judge().Rebase(now_);
  EXPECT_TRUE(Watch(now_ - Scene::kStart + kSecond).empty());
  EXPECT_EQ(Watch(now_ - Scene::kStart + kSecond).size(), 1u);
}

TEST_F(StallTest, WhoIsDeadlockedHasBeenExplained) {
  const uint32_t a = scene_.Thread("a"), b = scene_.Thread("b");
  const auto first = scene_.Mutex(), second = scene_.Mutex();
  scene_.Take(a, first);
  scene_.Take(b, second);
  scene_.Block(a, second);
  scene_.Block(b, first);
  Heartbeat(a, "loop", kSecond);
  EXPECT_TRUE(Watch(5 * kSecond).empty());
}

TEST_F(StallTest, ThreadsThatAHandlerMightWakeDoNotHideAStall) {
  const uint32_t main = scene_.Thread("main"), io = scene_.Thread("io");
  const auto condition = scene_.Condition(), mutex = scene_.Mutex();
  scene_.kernel.caught_signals = uint64_t{1} << (SIGTERM - 1);
  scene_.BlockCondition(io, condition, mutex, /*on_mutex=*/false);
  scene_.BlockJoin(main, io);
  Heartbeat(io, "loop", kSecond);
  const std::vector<Finding> stalls = Watch(10 * kSecond);
  ASSERT_EQ(stalls.size(), 1u);
  EXPECT_EQ(stalls[0].cause, "lock");
}

TEST_F(StallTest, AStallIsOverThoughOthersLookStuck) {
  const uint32_t main = scene_.Thread("main"), io = scene_.Thread("io");
  const auto condition = scene_.Condition(), mutex = scene_.Mutex();
  scene_.kernel.caught_signals = uint64_t{1} << (SIGTERM - 1);
  const uint32_t beat = Heartbeat(io, "loop", kSecond);
  EXPECT_EQ(Watch(2 * kSecond).size(), 1u);
  At(beat).state = ledger::InHeartbeatState(ledger::kHeartbeatUse, HeartbeatState::kIdle);
  scene_.BlockCondition(io, condition, mutex, /*on_mutex=*/false);
  scene_.BlockJoin(main, io);
  Watch(now_ - Scene::kStart + 2 * kSecond);
  EXPECT_TRUE(scene_.judge().stalls().now().empty());
}

TEST_F(StallTest, AWaitBeyondTheLimitIsToldOnce) {
  StallWatch watch(&scene_.kernel, 2 * kSecond);
  const uint32_t a = scene_.Thread("a"), b = scene_.Thread("b");
  const auto mutex = scene_.Mutex();
  scene_.Take(b, mutex);
  scene_.Block(a, mutex);
  scene_.book.thread(a).frame0.wait.since_ns = Scene::kStart;
  const std::unique_ptr<LedgerReader> reader = scene_.book.Reader();
  ThreadNames names;
  const FindingParts parts(reader.get(), &scene_.kernel, &scene_.resolver, &names, 1);
  std::vector<Finding> findings;
  uint64_t told_ns = 0;
  for (uint64_t now = Scene::kStart; now < Scene::kStart + 9 * kSecond; now += kTick) {
    watch.Look(reader->Take(), parts, {.stuck = {}}, now, &findings);
    if (!findings.empty() && told_ns == 0) told_ns = now;
  }
  ASSERT_EQ(findings.size(), 1u);
  EXPECT_GT(told_ns, Scene::kStart + 2 * kSecond);
  EXPECT_EQ(findings[0].cause, "lock");
  EXPECT_TRUE(findings[0].heartbeat.empty());
  EXPECT_NE(findings[0].story[0].find("which thread"), std::string::npos);
}

TEST(ClockTrustTest, OnlyALateLookAndASuspendCount) {
  ClockTrust clocks;
  EXPECT_EQ(clocks.Look({10 * kSecond, 10 * kSecond}, 0), nullptr);
  EXPECT_EQ(clocks.Look({11 * kSecond, 11 * kSecond}, 11 * kSecond), nullptr);
  EXPECT_EQ(clocks.Look({12 * kSecond + kSecond / 4, 12 * kSecond + kSecond / 4}, 12 * kSecond),
            nullptr)
      << "a little late";
  EXPECT_EQ(clocks.trusted_since_ns(), 0u);
  EXPECT_STREQ(clocks.Look({20 * kSecond, 20 * kSecond}, 13 * kSecond), "late");
  EXPECT_EQ(clocks.trusted_since_ns(), 20 * kSecond);
  EXPECT_STREQ(clocks.Look({21 * kSecond, 321 * kSecond}, 21 * kSecond), "suspend");
  EXPECT_EQ(clocks.Look({22 * kSecond, 322 * kSecond}, 22 * kSecond), nullptr);
  EXPECT_EQ(clocks.jumps().at("late"), 1u);
  EXPECT_EQ(clocks.jumps().at("suspend"), 1u);
}

TEST(StallPolicyTest, GraceQuorumAndEssential) {
  Options options;
  options.stall_grace = absl::Seconds(5);
  options.stall_quorum = 2;
  const auto stall = [](const char* name, uint64_t told_ns, bool essential = false) {
    return Stall{.heartbeat = name,
                 .essential = essential,
                 .tid = 1,
                 .kind = StallKind::kRunning,
                 .told_ns = told_ns};
  };
  EXPECT_EQ(StallToActOn({}, options, 10 * kSecond), nullptr);
  EXPECT_EQ(StallToActOn({stall("a", 0)}, options, 10 * kSecond), nullptr) << "no quorum";
  EXPECT_EQ(StallToActOn({stall("a", 0), stall("b", 9 * kSecond)}, options, 10 * kSecond), nullptr)
      << "one of them is still within its grace";
  const std::vector<Stall> two = {stall("a", kSecond), stall("b", 0)};
  ASSERT_NE(StallToActOn(two, options, 10 * kSecond), nullptr);
  EXPECT_EQ(StallToActOn(two, options, 10 * kSecond)->heartbeat, "b") << "the oldest";
  const std::vector<Stall> essential = {stall("c", 0, true)};
  EXPECT_NE(StallToActOn(essential, options, 5 * kSecond), nullptr);
  EXPECT_EQ(StallToActOn(essential, options, 4 * kSecond), nullptr);
  EXPECT_EQ(StallToActOn({stall("", 0), stall("", 0)}, options, 10 * kSecond), nullptr)
      << "long waits are nobody's heartbeat";
}

TEST(StallPolicyTest, AStallWhoseLadderActsGoesBeforeThoseThatAreOnlyTold) {
  const auto ladders = StallLadders::Parse("abort;starved=report", "report|dump|abort|restart");
  ASSERT_TRUE(ladders.ok());
  const auto stall = [](const char* name, StallKind kind, uint64_t told_ns) {
    return Stall{.heartbeat = name, .essential = false, .tid = 1, .kind = kind, .told_ns = told_ns};
  };
  const Stall starved = stall("starved", StallKind::kStarved, 0);
  const Stall locked = stall("locked", StallKind::kLock, 3 * kSecond);
  const std::vector<Stall> both = {starved, locked};
  const StallVerdict verdict = JudgeStalls(both, 1, *ladders);
  ASSERT_NE(verdict.stall, nullptr);
  EXPECT_EQ(verdict.stall->heartbeat, "locked");
  EXPECT_EQ(verdict.since_ns, 3 * kSecond) << "its own time, not the other's";
  const std::vector<Stall> alone = {starved};
  EXPECT_EQ(JudgeStalls(alone, 1, *ladders).stall, &alone[0]);
  EXPECT_EQ(JudgeStalls(alone, 2, *ladders).stall, nullptr) << "no quorum";
  EXPECT_EQ(JudgeStalls(both, 2, *ladders).since_ns, 3 * kSecond);
}

TEST(HeartbeatTotalsTest, OneNameIsOneSeriesAndNamesAreBounded) {
  FakeKernelView kernel;
  const StallWatch stalls(&kernel, 0);
  Snapshot snapshot;
  snapshot.heartbeats = {{.name = "w",
                          .state = HeartbeatState::kBeating,
                          .last_ns = 5 * kSecond,
                          .deadline_ns = 2 * kSecond,
                          .late = 3},
                         {.name = "w",
                          .state = HeartbeatState::kIdle,
                          .last_ns = 3 * kSecond,
                          .deadline_ns = 4 * kSecond,
                          .late = 4}};
  HeartbeatTotals totals;
  totals.Add(snapshot, stalls, 10 * kSecond, 1000.0);
  totals.AddEnded(snapshot, stalls);
  MetricsView view;
  totals.CopyTo(&view);
  ASSERT_EQ(view.heartbeats.size(), 1u);
  const HeartbeatMetrics& w = view.heartbeats.at("w");
  EXPECT_DOUBLE_EQ(w.last_timestamp_seconds, 993.0);
  EXPECT_DOUBLE_EQ(w.deadline_seconds, 2.0);
  EXPECT_FALSE(w.paused);
  EXPECT_EQ(w.late, 14u);
  EXPECT_EQ(view.stalled_threads.at("running"), 0u);
  for (size_t i = 0; i < HeartbeatTotals::kMostNames + 9; ++i) {
    snapshot.heartbeats = {{.name = "n" + std::to_string(i)}};
    totals.Add(snapshot, stalls, 0, 0);
  }
  totals.CopyTo(&view);
  EXPECT_EQ(view.heartbeats.size(), HeartbeatTotals::kMostNames + 1);
  EXPECT_TRUE(view.heartbeats.contains("other"));
}

}  // namespace
}  // namespace lockwarden
