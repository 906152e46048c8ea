// Misuse as the judge tells it.
#include <gtest/gtest.h>

#include "tests/watchdog/prediction_scene.h"
#include "watchdog/judge.h"

namespace lockwarden {
namespace {

class MisuseJudgeTest : public PredictionTest {};

TEST_F(MisuseJudgeTest, MisuseIsToldOnceWithItsName) {
  scene.book.AddMisuse(ledger::MisuseKind::kUnlockNotOwner, scene.SerialOf(one), a);
  scene.book.AddMisuse(ledger::MisuseKind::kOrderViolation, scene.SerialOf(one), a);
  const auto findings = scene.Step(Scene::kStart);
  ASSERT_EQ(findings.size(), 2u);
  EXPECT_EQ(findings[0].kind, FindingKind::kMisuse);
  EXPECT_EQ(findings[0].misuse, "unlock_not_owner");
  EXPECT_EQ(findings[0].headline,
            "MISUSE: thread 'one' (tid 100) released mutex 1, which it does not hold");
  EXPECT_EQ(findings[1].kind, FindingKind::kOrderViolation);
  EXPECT_TRUE(scene.Step(Scene::kStart + 1).empty());
  EXPECT_TRUE(scene.judge().Finish(Scene::kStart + 2).empty());
}

TEST_F(MisuseJudgeTest, AMisuseThatNeverBecomesWholeDoesNotHideTheNext) {
  const auto add = [&](uint64_t site) {
    return scene.book.AddMisuse({.kind = ledger::MisuseKind::kUnlockNotOwner,
                                 .thread_serial = scene.SerialOf(one),
                                 .lock = a,
                                 .site = site});
  };
  auto* const records = scene.book.ledger().Table<ledger::MisuseRecord>(ledger::kMisuse);
  const uint32_t broken = add(0x4501), senseless = add(0x4502);
  records[broken].ready = 0;
  records[senseless].kind = 99;
  add(0x4503);
  EXPECT_EQ(scene.Step(Scene::kStart).size(), 1u);
  EXPECT_TRUE(scene.Step(Scene::kStart + 1).empty());
  records[broken].ready = 1;  // its writer was only slow
  EXPECT_EQ(scene.Step(Scene::kStart + 2).size(), 1u);
  EXPECT_TRUE(scene.judge().Finish(Scene::kStart + 3).empty());
}

TEST_F(MisuseJudgeTest, TheSameMisuseWrittenDownByTwoThreadsAtOnceIsToldOnce) {
  const auto add = [&](uint32_t thread, Scene::Ref lock, uint64_t site) {
    scene.book.AddMisuse({.kind = ledger::MisuseKind::kUnlockNotOwner,
                          .thread_serial = scene.SerialOf(thread),
                          .lock = lock,
                          .site = site});
  };
  add(one, a, 0x4501);
  add(two, b, 0x4501);
  add(two, b, 0x4502);  // another place
  const auto findings = scene.Step(Scene::kStart);
  ASSERT_EQ(findings.size(), 2u);
  EXPECT_EQ(findings[0].evidence.back(), "seen 2 times so far");
  add(one, a, 0x4501);
  EXPECT_TRUE(scene.Step(Scene::kStart + 1).empty());
}

TEST_F(MisuseJudgeTest, AnUnlockNamesWhoHeldTheLockAndWhereItWasTaken) {
  const uint32_t taken = scene.book.AddStack({0x4021});
  scene.book.AddMisuse({.kind = ledger::MisuseKind::kUnlockNotOwner,
                        .thread_serial = scene.SerialOf(one),
                        .other_serial = scene.SerialOf(two),
                        .other_stack = taken,
                        .lock = ledger::WithMode(a, kX),
                        .count = 7});
  const auto findings = scene.Step(Scene::kStart);
  ASSERT_EQ(findings.size(), 1u);
  const Finding& finding = findings[0];
  EXPECT_EQ(finding.confidence, Confidence::kStrong);
  EXPECT_EQ(finding.story[0],
            "Thread 'one' (tid 100) released mutex 1 (called at f4500, file.cc:0), which was held "
            "by thread 'two' (tid 101) (taken at f4021, file.cc:33).");
  ASSERT_EQ(finding.threads.size(), 2u);
  ASSERT_EQ(finding.threads[1].holds.size(), 1u);
  EXPECT_EQ(finding.threads[1].holds[0].mode, "exclusive");
  EXPECT_EQ(finding.threads[1].role, FindingThread::Role::kInCycle) << "or its stack is not shown";
  EXPECT_EQ(finding.evidence.back(), "seen 7 times so far");
}

TEST_F(MisuseJudgeTest, MisuseIsGradedByWhoSaysSo) {
  const auto checking = scene.Mutex(ledger::kInitSeen | ledger::kErrorCheck);
  const auto rwlock = scene.RwLock();
  const auto condition = scene.Condition();
  const auto shared = static_cast<uint8_t>(ledger::Mode::kShared);
  using ledger::MisuseKind;
  const struct {
    MisuseKind kind;
    Scene::Ref lock;
    uint32_t stack;
    Confidence confidence;
  } cases[] = {
      {MisuseKind::kUnlockNotOwner, a, 0, Confidence::kStrong},
      {MisuseKind::kUnlockNotOwner, checking, 0, Confidence::kProven},
      {MisuseKind::kUnlockNotOwner, ledger::WithMode(rwlock, shared), 0, Confidence::kLikely},
      {MisuseKind::kDestroyHeld, a, 0, Confidence::kPossible},
      {MisuseKind::kDestroyHeld, a, scene.book.AddStack({0x4031}), Confidence::kStrong},
      {MisuseKind::kDestroyHeld, ledger::WithMode(rwlock, shared), scene.book.AddStack({0x4032}),
       Confidence::kLikely},
      {MisuseKind::kTwoMutexes, condition, 0, Confidence::kLikely},
  };
  uint64_t site = 0x4500;
  for (const auto& c : cases) {
    scene.book.AddMisuse({.kind = c.kind,
                          .thread_serial = scene.SerialOf(one),
                          .other_serial = scene.SerialOf(two),
                          .stack = c.stack,
                          .lock = c.lock,
                          .site = site++});
  }
  const auto findings = scene.Step(Scene::kStart);
  ASSERT_EQ(findings.size(), std::size(cases));
  for (size_t i = 0; i < findings.size(); ++i) {
    EXPECT_EQ(findings[i].confidence, cases[i].confidence) << i;
  }
}

TEST_F(MisuseJudgeTest, WhatIsDestroyedInExitIsNotTold) {
  constexpr uint64_t kInExit = 0x4041;
  scene.resolver.names[kInExit] = "exit";
  const uint32_t in_exit = scene.book.AddStack({0x4040, kInExit, 0x4042});
  const uint32_t elsewhere = scene.book.AddStack({0x4040, 0x4042});
  for (uint32_t stack : {in_exit, elsewhere}) {
    scene.book.AddMisuse({.kind = ledger::MisuseKind::kDestroyHeld,
                          .thread_serial = scene.SerialOf(one),
                          .other_serial = scene.SerialOf(two),
                          .stack = stack,
                          .lock = a});
  }
  scene.book.AddMisuse({.kind = ledger::MisuseKind::kUnlockNotOwner,
                        .thread_serial = scene.SerialOf(one),
                        .stack = in_exit,
                        .lock = a});
  EXPECT_EQ(scene.Step(Scene::kStart).size(), 2u);
}

TEST_F(MisuseJudgeTest, AWaitWithAnotherMutexNamesBothWaits) {
  const auto condition = scene.Condition();
  scene.book.AddMisuse({.kind = ledger::MisuseKind::kTwoMutexes,
                        .thread_serial = scene.SerialOf(one),
                        .other_serial = scene.SerialOf(two),
                        .other_stack = scene.book.AddStack({0x4021}),
                        .lock = condition,
                        .other_lock = a});
  const auto findings = scene.Step(Scene::kStart);
  ASSERT_EQ(findings.size(), 1u);
  EXPECT_EQ(findings[0].story[0],
            "Thread 'one' (tid 100) waited with another mutex than others do on condition 3 "
            "(called at f4500, file.cc:0), its own being mutex 1, at the same time as thread 'two' "
            "(tid 101) (called at f4021, file.cc:33).");
  EXPECT_TRUE(findings[0].threads[1].holds.empty());
  EXPECT_EQ(findings[0].threads[1].stack.size(), 1u);
}

}  // namespace
}  // namespace lockwarden
