// Locks in signal handlers: what must be told beside what must not.
#include <gtest/gtest.h>

#include <csignal>

#include "tests/watchdog/scene.h"

namespace lockwarden {
namespace {

using ledger::Mode;

class SignalLockTest : public testing::Test {
 protected:
  void SetUp() override {
    thread = scene.Thread("worker");
    plain = scene.book.AddStack({0x4031, 0x4032});
    in_handler = Handler({0x4041, 0x4042, 0x4043});
  }
  // The last pc is the trampoline, the one before lies in the handler itself.
  uint32_t Handler(const std::vector<uint64_t>& pcs) {
    const uint32_t id = scene.book.AddStack(pcs);
    scene.book.ledger().Table<uint64_t>(ledger::kStacks)[id] |= ledger::kStackInHandler;
    return id;
  }
  void TakenInHandler(Scene::Ref lock, uint32_t stack, Mode mode = Mode::kExclusive) {
    const uint32_t index = scene.book.header().tables[ledger::kMisuse].used;
    scene.book.AddMisuse(ledger::MisuseKind::kTakenInHandler, scene.SerialOf(thread),
                         ledger::WithMode(lock, static_cast<uint8_t>(mode)));
    scene.book.ledger().Table<ledger::MisuseRecord>(ledger::kMisuse)[index].stack = stack;
  }
  void TakenElsewhere(Scene::Ref lock, uint32_t flags = 0) {
    scene.book.lock(lock).plain_stack = plain | mask | ledger::kPlainAsk | flags;
  }
  Scene scene;
  uint32_t thread = 0, plain = 0, in_handler = 0;
  uint32_t mask = ledger::kPlainDoubtful;  // what code outside had blocked
};

TEST_F(SignalLockTest, AHandlersLockThatOtherCodeTakesIsToldWithBothPlaces) {
  const auto lock = scene.Mutex();
  TakenInHandler(lock, in_handler);
  TakenElsewhere(lock);
  scene.kernel.caught_signals = (uint64_t{1} << (SIGUSR1 - 1)) | uint64_t{1} << 31;
  const auto findings = scene.Step(Scene::kStart);
  ASSERT_EQ(findings.size(), 1u);
  const Finding& finding = findings[0];
  EXPECT_EQ(finding.kind, FindingKind::kSignalUnsafeLock);
  EXPECT_EQ(finding.confidence, Confidence::kPossible);
  EXPECT_EQ(finding.headline,
            "LOCK IN SIGNAL HANDLER: f4042 takes mutex 1, and so does code that it may interrupt");
  EXPECT_EQ(finding.story[0],
            "The signal handler f4042 takes mutex 1 (taken at f4041, file.cc:65) in thread "
            "'worker' (tid 100). Code outside handlers takes it as well (taken at f4031, "
            "file.cc:49).");
  EXPECT_EQ(finding.evidence[2], "signals that the process has handlers for: SIGUSR1");
  EXPECT_TRUE(scene.Step(Scene::kStart + 1).empty()) << "told once";
  EXPECT_TRUE(scene.judge().Finish(Scene::kStart + 2).empty());
}

TEST_F(SignalLockTest, WhatTheOtherCodeHasBlockedDecides) {
  const struct {
    uint32_t mask;
    size_t at_once;
    Confidence confidence;
  } cases[] = {{ledger::kPlainOpen, 1, Confidence::kLikely},
               {ledger::kPlainDoubtful, 1, Confidence::kPossible},
               {ledger::kPlainBlocked, 0, Confidence::kPossible},
               {0, 0, Confidence::kPossible}};
  uint64_t now = Scene::kStart;
  for (const auto& one : cases) {
    const auto lock = scene.Mutex();
    scene.book.lock(lock).lock_class = ledger::IndexOf(lock) + 1;
    TakenInHandler(lock, in_handler);
    mask = one.mask;
    TakenElsewhere(lock);
    const auto at_once = scene.Step(++now);
    ASSERT_EQ(at_once.size(), one.at_once) << one.mask;
    for (const Finding& finding : at_once) EXPECT_EQ(finding.confidence, one.confidence);
    EXPECT_TRUE(scene.Step(++now).empty());
  }
  // The one that was not asked may be asked yet; in the end it is told as it is.
  const auto findings = scene.judge().Finish(++now);
  ASSERT_EQ(findings.size(), 1u);
  EXPECT_EQ(findings[0].confidence, Confidence::kPossible);
}

TEST_F(SignalLockTest, TheOtherCodeMayComeLater) {
  const auto lock = scene.RwLock();
  TakenInHandler(lock, in_handler);
  EXPECT_TRUE(scene.Step(Scene::kStart).empty());
  TakenElsewhere(lock);
  EXPECT_EQ(scene.judge().Finish(Scene::kStart + 1).size(), 1u);
}

TEST_F(SignalLockTest, ALockOfHandlersOnlyIsNotTold) {
  TakenInHandler(scene.Mutex(), in_handler);
  EXPECT_TRUE(scene.Step(Scene::kStart).empty());
  EXPECT_TRUE(scene.judge().Finish(Scene::kStart + 1).empty());
}

TEST_F(SignalLockTest, WhatDoesNotBlockItsOwnThreadIsNotTold) {
  const Scene::Ref locks[] = {scene.Mutex(ledger::kRecursive), scene.Mutex(ledger::kErrorCheck)};
  for (const Scene::Ref lock : locks) {
    TakenInHandler(lock, in_handler);
    TakenElsewhere(lock);
  }
  EXPECT_TRUE(scene.Step(Scene::kStart).empty());
}

TEST_F(SignalLockTest, OfReadersAndWritersThoseThatConflictAreTold) {
  const struct {
    Mode handlers;
    uint32_t elsewhere;
    size_t findings;
  } cases[] = {{Mode::kShared, ledger::kPlainShared, 0},
               {Mode::kExclusive, ledger::kPlainShared, 1},
               {Mode::kShared, 0, 1}};
  for (const auto& one : cases) {
    Scene::Ref lock = scene.RwLock();
    // Each in a class of its own, or only the first were told.
    scene.book.lock(lock).lock_class = ledger::IndexOf(lock) + 1;
    TakenInHandler(lock, in_handler, one.handlers);
    TakenElsewhere(lock, one.elsewhere);
    EXPECT_EQ(scene.Step(Scene::kStart).size(), one.findings)
        << static_cast<int>(one.handlers) << " against " << one.elsewhere;
  }
}

TEST_F(SignalLockTest, OneClassAndOneHandlerAreToldOnceAnotherHandlerAgain) {
  for (int i = 0; i < 3; ++i) {
    const auto lock = scene.Mutex();
    TakenInHandler(lock, in_handler);
    TakenElsewhere(lock);
  }
  EXPECT_EQ(scene.Step(Scene::kStart).size(), 1u);
  const auto lock = scene.Mutex();
  TakenInHandler(lock, Handler({0x4051, 0x4052, 0x4043}));
  TakenElsewhere(lock);
  EXPECT_EQ(scene.Step(Scene::kStart).size(), 1u);
}

TEST_F(SignalLockTest, ALifeThatIsOverIsToldByWhatIsKnownOfIt) {
  const auto known = scene.Mutex(), reused = scene.Mutex();
  for (const auto lock : {known, reused}) {
    TakenInHandler(lock, in_handler);
    TakenElsewhere(lock);
    ++scene.book.lock(lock).generation;
  }
  scene.book.lock(known).kind_and_flags |= ledger::kRecordDestroyed;
  EXPECT_EQ(scene.Step(Scene::kStart).size(), 1u);
}

TEST_F(SignalLockTest, AHandlerThatWaitsForItsOwnThreadIsASelfDeadlockAndNothingElse) {
  const auto lock = scene.Mutex();
  TakenElsewhere(lock);
  scene.Take(thread, lock);
  TakenInHandler(lock, in_handler);
  scene.Block(thread, lock);
  scene.book.thread(thread).frame0.wait.stack = in_handler;
  const auto findings = scene.Judge();
  ASSERT_EQ(findings.size(), 1u);
  EXPECT_EQ(findings[0].kind, FindingKind::kSelfDeadlock);
  EXPECT_EQ(findings[0].confidence, Confidence::kProven);
  EXPECT_EQ(findings[0].story[1],
            "Thread 'worker' (tid 100) waits in the signal handler f4042: what it has interrupted "
            "cannot go on before it returns.");
  EXPECT_TRUE(scene.judge().Finish(Scene::kStart + 2 * Scene::kConfirm).empty());
}

}  // namespace
}  // namespace lockwarden
