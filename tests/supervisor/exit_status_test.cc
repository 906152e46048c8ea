// The exit-code table of docs/run.md, row by row.
#include "watchdog/exit_status.h"

#include <gtest/gtest.h>

#include <csignal>

namespace lockwarden {
namespace {

struct Row {
  const char* name;
  Profile profile;
  int exitcode;
  ProgramEnd end;
  bool findings, spent;
  ExitStatus expected;
};

constexpr Profile kT = Profile::kTest, kP = Profile::kProduction;
const ProgramEnd kOurAbort = {.signal = SIGABRT, .deadlocked = true};
const ProgramEnd kOurKill = {.signal = SIGKILL, .deadlocked = true};

const Row kTable[] = {
    {"success", kT, 66, {}, false, false, {0, 0}},
    {"success with findings", kT, 66, {}, true, false, {66, 0}},
    {"success with findings, another code", kT, 3, {}, true, false, {3, 0}},
    {"success with findings, switched off", kT, 0, {}, true, false, {0, 0}},
    {"success with findings in production", kP, 66, {}, true, false, {0, 0}},
    {"failure", kT, 66, {.code = 2}, false, false, {2, 0}},
    {"the program's own failure wins", kT, 66, {.code = 2}, true, false, {2, 0}},
    {"crash", kT, 66, {.signal = SIGSEGV}, false, false, {0, SIGSEGV}},
    {"the program's own crash wins", kT, 66, {.signal = SIGSEGV}, true, false, {0, SIGSEGV}},
    {"its own abort is not ours", kT, 66, {.signal = SIGABRT}, true, false, {0, SIGABRT}},
    {"our abort", kT, 66, kOurAbort, true, false, {66, 0}},
    {"our kill after it", kT, 66, kOurKill, true, false, {66, 0}},
    {"our abort, switched off", kT, 0, kOurAbort, true, false, {0, SIGABRT}},
    {"our abort in production", kP, 66, kOurAbort, true, false, {0, SIGABRT}},
    {"our abort, answered with a code", kT, 66,
     {.code = 9, .deadlocked = true}, true, false, {9, 0}},
    {"our abort, answered with success", kT, 66, {.deadlocked = true}, true, false, {66, 0}},
    {"our abort overtaken by another's signal", kT, 66,
     {.signal = SIGTERM, .deadlocked = true}, true, false, {0, SIGTERM}},
    {"budget spent", kT, 66, {.code = 1}, false, true, {69, 0}},
    {"budget spent by deadlocks", kT, 66, kOurKill, true, true, {69, 0}},
    {"budget spent in production", kP, 66, {.signal = SIGSEGV}, false, true, {69, 0}},
};

TEST(ExitStatusTest, FollowsTheTable) {
  for (const Row& row : kTable) {
    Options options;
    options.profile = row.profile;
    options.exitcode = row.exitcode;
    EXPECT_EQ(DecideExit(options, row.end, row.findings, row.spent), row.expected) << row.name;
  }
}

TEST(ExitStatusTest, OnlySureDeadlocksAreActedUpon) {
  using enum FindingKind;
  using enum Confidence;
  struct {
    FindingKind kind;
    Confidence confidence;
    bool test, production;
  } const table[] = {
      {kDeadlock, kProven, true, true},      {kDeadlock, kStrong, true, false},
      {kDeadlock, kLikely, true, false},     {kDeadlock, kPossible, false, false},
      {kSelfDeadlock, kProven, true, true},  {kSelfDeadlock, kLikely, true, false},
      {kPotentialDeadlock, kProven, false, false}, {kMisuse, kProven, false, false},
      {kOrderViolation, kProven, false, false},    {kStall, kProven, false, false},
  };
  for (const auto& row : table) {
    EXPECT_EQ(ActsOn(row.kind, row.confidence, kT), row.test) << KindName(row.kind);
    EXPECT_EQ(ActsOn(row.kind, row.confidence, kP), row.production) << KindName(row.kind);
  }
}

TEST(ExitStatusTest, CountingKindsAreThoseOfTheDocumentation) {
  for (FindingKind kind : {FindingKind::kDeadlock, FindingKind::kSelfDeadlock,
                           FindingKind::kOrderViolation, FindingKind::kPotentialDeadlock,
                           FindingKind::kMisuse}) {
    EXPECT_TRUE(CountsForExitCode(kind)) << KindName(kind);
  }
  EXPECT_FALSE(CountsForExitCode(FindingKind::kStall));
}

TEST(ExitStatusDeathTest, LeavesByTheSignalOrTheCode) {
  EXPECT_EXIT(LeaveWith({0, SIGTERM}), testing::KilledBySignal(SIGTERM), "");
  EXPECT_EXIT(LeaveWith({0, SIGSEGV}), testing::KilledBySignal(SIGSEGV), "");
  EXPECT_EXIT(LeaveWith({66, 0}), testing::ExitedWithCode(66), "");
}

}  // namespace
}  // namespace lockwarden
