// Predictions as the judge tells them.
#include "watchdog/judge.h"

#include <gtest/gtest.h>

#include <cstring>

#include "tests/watchdog/prediction_scene.h"

namespace lockwarden {
namespace {

TEST_F(PredictionTest, AnInversionThatDidNotHangIsToldAtOnceAndOnce) {
  scene.book.AddEdge(a, b, {Seen(one, 0x4011, 0x4012)});
  scene.book.AddEdge(b, a, {Seen(two, 0x4013, 0x4014)});
  const auto findings = scene.Step(Scene::kStart);
  ASSERT_EQ(findings.size(), 1u);
  const Finding& finding = findings[0];
  EXPECT_EQ(finding.kind, FindingKind::kPotentialDeadlock);
  EXPECT_EQ(finding.headline, "POTENTIAL DEADLOCK: lock-order cycle of 2 locks");
  EXPECT_EQ(finding.confidence, Confidence::kLikely);
  EXPECT_EQ(finding.story[0],
            "Thread 'one' (tid 100) takes mutex 2 (taken at f4012, file.cc:18) while it holds "
            "mutex 1 (taken at f4011, file.cc:17).");
  EXPECT_TRUE(scene.Step(Scene::kStart + 1).empty());
  EXPECT_TRUE(scene.judge().Finish(Scene::kStart + 2).empty());
  EXPECT_EQ(scene.judge().state().order_cycles, 1u);
}

TEST_F(PredictionTest, AtTheEndItIsToldEvenIfTheLocksAreGone) {
  scene.book.AddEdge(a, b, {Seen(one, 0x4011, 0x4012)});
  scene.book.AddEdge(b, a, {Seen(two, 0x4013, 0x4014)});
  for (Scene::Ref lock : {a, b}) {
    scene.book.lock(lock).generation = 2;
    scene.book.lock(lock).kind_and_flags |= ledger::kRecordDestroyed;
  }
  const auto findings = scene.judge().Finish(Scene::kStart);
  ASSERT_EQ(findings.size(), 1u);
  EXPECT_EQ(findings[0].locks[0].label, "mutex 1");
}

TEST_F(PredictionTest, ALifeThatWasReusedIsNamedByItsAddress) {
  scene.book.AddEdge(a, b, {Seen(one, 0x4011, 0x4012)});
  scene.book.AddEdge(b, a, {Seen(two, 0x4013, 0x4014)});
  scene.book.lock(a).generation = 3;  // destroyed, and initialised again
  const auto findings = scene.judge().Finish(Scene::kStart);
  ASSERT_EQ(findings.size(), 1u);
  EXPECT_EQ(findings[0].locks[0].label, "mutex at 0x10000 (destroyed, life 1)");
}

TEST_F(PredictionTest, AReusedAddressIsNotTheSameLock) {
  scene.book.AddEdge(a, b, {Seen(one, 0x4011, 0x4012)});
  const auto reborn = ledger::Pack(ledger::IndexOf(a), 2, 0);
  scene.book.AddEdge(b, reborn, {Seen(two, 0x4013, 0x4014)});
  EXPECT_TRUE(scene.judge().Finish(Scene::kStart).empty());
}

TEST_F(PredictionTest, WhereNoInitWasSeenItIsOnlyPossibleUnlessTheLockIsStatic) {
  for (Scene::Ref lock : {a, b}) {
    scene.book.lock(lock).kind_and_flags &= ~uint32_t{ledger::kInitSeen};
  }
  scene.book.AddEdge(a, b, {Seen(one, 0x4011, 0x4012)});
  scene.book.AddEdge(b, a, {Seen(two, 0x4013, 0x4014)});
  auto findings = scene.Step(Scene::kStart);
  ASSERT_EQ(findings.size(), 1u);
  EXPECT_EQ(findings[0].confidence, Confidence::kPossible);
  scene.book.AddModule(0x10000, 0x20000, "/usr/bin/program");
  const auto reader = scene.book.Reader();
  ProcessJudge judge(reader.get(), &scene.kernel, &scene.resolver, 1, {});
  findings = judge.Step(Scene::kStart);
  ASSERT_EQ(findings.size(), 1u);
  EXPECT_EQ(findings[0].confidence, Confidence::kLikely);
}

TEST_F(PredictionTest, ACycleOfOneThreadIsToldOnceAnotherThreadDoesIt) {
  const uint32_t edge = scene.book.AddEdge(a, b, {Seen(one, 0x4011, 0x4012)});
  scene.book.AddEdge(b, a, {Seen(one, 0x4013, 0x4014)});
  EXPECT_TRUE(scene.Step(Scene::kStart).empty());
  scene.book.AddWitness(edge, Seen(two, 0x4011, 0x4012));
  EXPECT_EQ(scene.Step(Scene::kStart + 1).size(), 1u);
}

TEST_F(PredictionTest, TheSameSitesAreToldOnceForManyLocks) {
  for (int i = 0; i < 5; ++i) {
    const auto x = scene.Mutex(), y = scene.Mutex();
    scene.book.AddEdge(x, y, {Seen(one, 0x4011, 0x4012)});
    scene.book.AddEdge(y, x, {Seen(two, 0x4013, 0x4014)});
  }
  EXPECT_EQ(scene.Step(Scene::kStart).size(), 1u);
}

TEST_F(PredictionTest, AWrapperHidesNoOtherOrderBehindIt) {
  // All locks are taken at one place, 0x4001; who calls it differs.
  const auto seen = [&](uint32_t thread, uint64_t from, uint64_t to) {
    ledger::OrderWitness witness = Seen(thread, 0x4001, 0x4001);
    witness.from_stack = scene.book.AddStack({0x4001, from});
    witness.to_stack = scene.book.AddStack({0x4001, to});
    return witness;
  };
  for (uint64_t pair = 0x4100; pair < 0x4300; pair += 0x100) {
    const auto x = scene.Mutex(), y = scene.Mutex();
    scene.book.AddEdge(x, y, {seen(one, pair, pair + 1)});
    scene.book.AddEdge(y, x, {seen(two, pair + 2, pair + 3)});
  }
  EXPECT_EQ(scene.Step(Scene::kStart).size(), 2u);
  EXPECT_EQ(scene.judge().state().merged, 0u);
}

TEST_F(PredictionTest, OneOrderReachedInManyWaysIsToldOnceAndCounted) {
  for (uint64_t way = 0; way < 5; ++way) {
    const auto x = scene.Mutex(), y = scene.Mutex();
    ledger::OrderWitness up = Seen(one, 0x4011, 0x4012), down = Seen(two, 0x4013, 0x4014);
    // The same functions further out at other addresses, as after inlining or by recursion.
    up.to_stack = scene.book.AddStack({0x4012, 0x4020, 0x4021, 0x4022, 0x4100 + way});
    scene.book.AddEdge(x, y, {up});
    scene.book.AddEdge(y, x, {down});
  }
  EXPECT_EQ(scene.Step(Scene::kStart).size(), 1u);
  EXPECT_TRUE(scene.judge().Finish(Scene::kStart + 1).empty());
  EXPECT_EQ(scene.judge().state().merged, 4u);
}

TEST_F(PredictionTest, WhatIsKeptApartByAJoinIsListedWithTheReason) {
  auto* const lives = scene.book.ledger().Table<ledger::ThreadLife>(ledger::kThreadLives);
  lives[scene.SerialOf(two) - 1].creator = scene.SerialOf(one);
  lives[scene.SerialOf(two) - 1].created_at = 2;
  ledger::OrderWitness early = Seen(one, 0x4011, 0x4012);
  early.first_clock = 1;
  early.last_clock = 2;
  const uint32_t edge = scene.book.AddEdge(a, b, {early});
  scene.book.AddEdge(b, a, {Seen(two, 0x4013, 0x4014)});
  EXPECT_TRUE(scene.Step(Scene::kStart).empty());
  const auto lines = scene.judge().TurnedDown();
  ASSERT_EQ(lines.size(), 1u);
  EXPECT_EQ(lines[0],
            "not told, ordered by create and join: lock-order cycle: mutex 2 (taken at f4012, "
            "file.cc:18) under mutex 1; mutex 1 (taken at f4014, file.cc:20) under mutex 2");
  ledger::OrderWitness late = early;
  late.first_clock = 3;
  late.last_clock = 3;
  scene.book.AddWitness(edge, late);
  EXPECT_EQ(scene.Step(Scene::kStart + 1).size(), 1u);
  EXPECT_TRUE(scene.judge().TurnedDown().empty());
}

TEST_F(PredictionTest, SemaphoresAreLeftOut) {
  const auto s = scene.Semaphore();
  scene.book.AddEdge(a, s, {Seen(one, 0x4011, 0x4012)});
  scene.book.AddEdge(s, a, {Seen(two, 0x4013, 0x4014)});
  EXPECT_TRUE(scene.judge().Finish(Scene::kStart).empty());
}

TEST_F(PredictionTest, ASemaphoreWithOneUnitIsTakenForALockUntilAnotherThreadPostsIt) {
  const auto s = scene.Semaphore();
  scene.book.lock(s).kind_and_flags |= ledger::kOneUnit;
  ledger::OrderWitness wants = Seen(one, 0x4011, 0x4012), holds = Seen(two, 0x4013, 0x4014);
  wants.to_mode = holds.from_mode = static_cast<uint8_t>(ledger::Mode::kUnit);
  scene.book.AddEdge(a, s, {wants});
  scene.book.AddEdge(s, a, {holds});
  const auto told = [&](uint32_t own, uint32_t foreign) {
    scene.book.lock(s).own_releases = own;
    scene.book.lock(s).foreign_releases = foreign;
    const auto reader = scene.book.Reader();
    ProcessJudge judge(reader.get(), &scene.kernel, &scene.resolver, 1, {});
    return judge.Finish(Scene::kStart);
  };
  const auto findings = told(1, 0);
  ASSERT_EQ(findings.size(), 1u);
  EXPECT_EQ(findings[0].confidence, Confidence::kPossible);
  EXPECT_TRUE(told(1, 1).empty()) << "handed over";
  EXPECT_TRUE(told(0, 0).empty()) << "never posted: an event, for all that is known";
}

class JoinPredictionTest : public PredictionTest {
 protected:
  void SetUp() override {
    PredictionTest::SetUp();
    joined = ledger::ThreadRef(scene.SerialOf(two));
  }
  ledger::OrderWitness In(uint32_t thread, ledger::Mode from, ledger::Mode to, uint64_t site) {
    ledger::OrderWitness witness = Seen(thread, site, site + 1);
    witness.from_mode = static_cast<uint8_t>(from);
    witness.to_mode = static_cast<uint8_t>(to);
    return witness;
  }
  ledger::OrderWitness Joins() {
    return In(one, ledger::Mode::kExclusive, ledger::Mode::kJoin, 0x4011);
  }
  ledger::OrderWitness Takes() {
    return In(two, ledger::Mode::kJoin, ledger::Mode::kExclusive, 0x4013);
  }
  Scene::Ref joined = 0;
};

TEST_F(JoinPredictionTest, AThreadThatIsJoinedUnderALockThatItTakesIsTold) {
  scene.book.AddEdge(a, joined, {Joins()});
  scene.book.AddEdge(joined, a, {Takes()});
  const auto findings = scene.Step(Scene::kStart);
  ASSERT_EQ(findings.size(), 1u);
  const Finding& finding = findings[0];
  EXPECT_EQ(finding.headline, "POTENTIAL DEADLOCK: a thread is joined under a lock that it takes");
  EXPECT_EQ(finding.confidence, Confidence::kLikely);
  EXPECT_EQ(finding.story[0],
            "Thread 'one' (tid 100) waits for thread 'two' (tid 101) to end (called at f4012, "
            "file.cc:18) while it holds mutex 1 (taken at f4011, file.cc:17).");
  EXPECT_EQ(finding.story[1],
            "Thread 'two' (tid 101) takes mutex 1 (taken at f4014, file.cc:20) before it ends.");
  ASSERT_EQ(finding.threads.size(), 2u);
  EXPECT_EQ(finding.threads[0].waits_mode, "join");
  EXPECT_EQ(finding.threads[0].joins_tid, 101u);
  EXPECT_TRUE(scene.judge().Finish(Scene::kStart + 1).empty()) << "once";
}

TEST_F(JoinPredictionTest, AlsoThroughLocksOfOthers) {
  const uint32_t three = scene.Thread("three");
  scene.book.AddEdge(a, joined, {Joins()});
  scene.book.AddEdge(joined, b, {Takes()});
  EXPECT_TRUE(scene.Step(Scene::kStart).empty());
  scene.book.AddEdge(b, a, {Seen(three, 0x4015, 0x4016)});
  EXPECT_EQ(scene.Step(Scene::kStart + 1).size(), 1u);
}

TEST_F(JoinPredictionTest, WhatDoesNotWaitForEverOrCannotMeetIsNot) {
  const auto told = [&](const ledger::OrderWitness& joins, const ledger::OrderWitness& takes) {
    for (const ledger::TableId table : {ledger::kEdges, ledger::kThreadEdges}) {
      auto& used = scene.book.header().tables[table].used;
      std::memset(static_cast<void*>(scene.book.ledger().Table<ledger::OrderEdge>(table)), 0,
                  used * sizeof(ledger::OrderEdge));
      used = 0;
    }
    scene.book.AddEdge(a, joined, {joins});
    scene.book.AddEdge(joined, a, {takes});
    const auto reader = scene.book.Reader();
    ProcessJudge judge(reader.get(), &scene.kernel, &scene.resolver, 1, {});
    return judge.Finish(Scene::kStart).size();
  };
  EXPECT_EQ(told(Joins(), Takes()), 1u);
  ledger::OrderWitness timed = Joins(), tried = Takes(), reads = Joins(), read = Takes();
  timed.to_mode |= ledger::kTimed;
  EXPECT_EQ(told(timed, Takes()), 0u) << "the join gives up";
  tried.to_mode |= ledger::kTimed;
  EXPECT_EQ(told(Joins(), tried), 0u) << "the joined thread does";
  reads.from_mode = read.to_mode = static_cast<uint8_t>(ledger::Mode::kShared);
  EXPECT_EQ(told(reads, read), 0u) << "both read";
  EXPECT_EQ(told(Joins(), read), 1u);
  ledger::OrderWitness gated = Joins(), behind = Takes();
  gated.gates[gated.gate_count++] = behind.gates[behind.gate_count++] = b | kX;
  EXPECT_EQ(told(gated, behind), 0u) << "it hangs at the gate, which is another cycle";
}

TEST_F(PredictionTest, ACycleBetweenClassesOnlyIsToldOnRequest) {
  const auto x = scene.Mutex(), y = scene.Mutex(), gate = scene.Mutex(), other_gate = scene.Mutex();
  for (const Scene::Ref lock : {a, x}) scene.book.lock(lock).lock_class = 1;
  for (const Scene::Ref lock : {b, y}) scene.book.lock(lock).lock_class = 2;
  for (const Scene::Ref lock : {gate, other_gate}) scene.book.lock(lock).lock_class = 3;
  const auto told = [&](bool classes) {
    const auto reader = scene.book.Reader();
    ProcessJudge judge(reader.get(), &scene.kernel, &scene.resolver, 1,
                       {.predict_classes = classes});
    return judge.Finish(Scene::kStart);
  };
  ledger::OrderWitness gated = Seen(one, 0x4011, 0x4012), behind = Seen(two, 0x4013, 0x4014);
  gated.gates[gated.gate_count++] = gate | kX;
  behind.gates[behind.gate_count++] = other_gate | kX;
  scene.book.AddEdge(a, b, {gated});
  scene.book.AddEdge(y, x, {behind});
  EXPECT_TRUE(told(true).empty()) << "a gate of one class keeps these apart";
  const auto p = scene.Mutex(), q = scene.Mutex();
  scene.book.lock(p).lock_class = 1;
  scene.book.lock(q).lock_class = 2;
  scene.book.AddEdge(q, p, {Seen(one, 0x4015, 0x4016)});
  EXPECT_TRUE(told(true).empty()) << "one thread";
  scene.book.AddEdge(q, p, {Seen(two, 0x4015, 0x4016)});
  EXPECT_TRUE(told(false).empty());
  const auto findings = told(true);
  ASSERT_EQ(findings.size(), 1u);
  EXPECT_EQ(findings[0].confidence, Confidence::kPossible);
  EXPECT_EQ(findings[0].headline,
            "POTENTIAL DEADLOCK: order cycle of 2 classes of locks (a prediction about classes)");
  scene.book.AddEdge(b, a, {Seen(two, 0x4017, 0x4018)});
  const auto between_locks = told(true);
  ASSERT_EQ(between_locks.size(), 1u) << "of the locks, and not of their classes as well";
  EXPECT_EQ(between_locks[0].headline, "POTENTIAL DEADLOCK: lock-order cycle of 2 locks");
}

TEST_F(PredictionTest, ARingThatOnePlaceWalksIsLessSure) {
  const auto c = scene.Mutex();
  const uint32_t three = scene.Thread("three");
  scene.book.AddEdge(a, b, {Seen(one, 0x4011, 0x4011), Seen(two, 0x4011, 0x4011)});
  scene.book.AddEdge(b, c, {Seen(two, 0x4011, 0x4011)});
  scene.book.AddEdge(c, a, {Seen(three, 0x4011, 0x4011)});
  const auto findings = scene.Step(Scene::kStart);
  ASSERT_EQ(findings.size(), 1u);
  EXPECT_EQ(findings[0].confidence, Confidence::kPossible);
}

TEST_F(PredictionTest, PhilosophersEachWithForksOfTheirOwnAreNoSuchRing) {
  const auto c = scene.Mutex();
  const uint32_t three = scene.Thread("three");
  scene.book.AddEdge(a, b, {Seen(one, 0x4011, 0x4012)});
  scene.book.AddEdge(b, c, {Seen(two, 0x4011, 0x4012)});
  scene.book.AddEdge(c, a, {Seen(three, 0x4011, 0x4012)});
  const auto findings = scene.Step(Scene::kStart);
  ASSERT_EQ(findings.size(), 1u);
  EXPECT_EQ(findings[0].confidence, Confidence::kLikely);
}

TEST_F(PredictionTest, AnEdgeThatNeverBecomesWholeDoesNotHideTheNext) {
  const uint32_t broken = scene.book.AddEdge(a, b, {Seen(one, 0x4011, 0x4012)});
  scene.book.ledger().Table<ledger::OrderEdge>(ledger::kEdges)[broken].ready = 0;
  scene.book.AddEdge(a, b, {Seen(one, 0x4011, 0x4012)});
  scene.book.AddEdge(b, a, {Seen(two, 0x4013, 0x4014)});
  EXPECT_TRUE(scene.Step(Scene::kStart).empty());
  EXPECT_EQ(scene.judge().Finish(Scene::kStart).size(), 1u);
}

TEST_F(PredictionTest, PredictionCanBeSwitchedOff) {
  scene.book.AddEdge(a, b, {Seen(one, 0x4011, 0x4012)});
  scene.book.AddEdge(b, a, {Seen(two, 0x4013, 0x4014)});
  const auto reader = scene.book.Reader();
  ProcessJudge judge(reader.get(), &scene.kernel, &scene.resolver, 1, {.predict = false});
  EXPECT_TRUE(judge.Step(Scene::kStart).empty());
  EXPECT_TRUE(judge.Finish(Scene::kStart).empty());
}

TEST_F(PredictionTest, AThreadMayStandInItsOwnWay) {
  scene.book.AddMisuse({.kind = ledger::MisuseKind::kDestroyHeld,
                        .thread_serial = scene.SerialOf(one),
                        .other_serial = scene.SerialOf(one),
                        .stack = scene.book.AddStack({0x4031}),
                        .other_stack = scene.book.AddStack({0x4021}),
                        .lock = a});
  const auto findings = scene.Step(Scene::kStart);
  ASSERT_EQ(findings.size(), 1u);
  EXPECT_EQ(findings[0].threads.size(), 1u);
  EXPECT_EQ(findings[0].story[0],
            "Thread 'one' (tid 100) destroyed mutex 1 (called at f4031, file.cc:49), while it was "
            "held by itself (taken at f4021, file.cc:33).");
}

TEST_F(PredictionTest, AMovedCandidateAsksForAnotherLookSoon) {
  scene.Step(Scene::kStart);
  EXPECT_EQ(scene.judge().next_look_ns(), 0u);
  ++scene.book.header().candidates;
  EXPECT_TRUE(scene.Step(Scene::kStart + 1).empty()) << "it is no evidence";
  EXPECT_EQ(scene.judge().next_look_ns(), Scene::kStart + 1 + Scene::kConfirm);
  scene.Step(Scene::kStart + 2);
  EXPECT_EQ(scene.judge().next_look_ns(), 0u);
}

}  // namespace
}  // namespace lockwarden
