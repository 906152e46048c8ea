// The text report as a whole, and what it does with what is odd.
#include <gtest/gtest.h>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "tests/reporting/golden.h"
#include "tests/reporting/sample_findings.h"
#include "watchdog/report.h"

namespace lockwarden {
namespace {

using testing::Test;

TEST(ReportTextTest, WholeReportsAreAsKeptInGolden) {
  TextStyle style;
  style.incidents = "./lockwarden-incidents";
  for (const auto& [name, finding] : AllSamples()) {
    const std::string text = FormatText(finding, style);
    EXPECT_EQ(text, Golden(name + ".txt", text)) << name;
  }
}

TEST(ReportTextTest, FirstLineIsTheHeadlineWithThePid) {
  EXPECT_TRUE(absl::StartsWith(FormatText(TwoThreadDeadlock(), {}),
                               "lockwarden: DEADLOCK: 2 threads, 2 locks (pid 4242)\n"));
}

TEST(ReportTextTest, ColoursComeOnlyWhenAskedForAndChangeNothingElse) {
  const std::string plain = FormatText(TwoThreadDeadlock(), {});
  EXPECT_FALSE(absl::StrContains(plain, "\x1b"));
  std::string coloured = FormatText(TwoThreadDeadlock(), {.color = true});
  EXPECT_TRUE(absl::StrContains(coloured, "\x1b[1;31mDEADLOCK"));
  for (size_t begin; (begin = coloured.find('\x1b')) != coloured.npos;) {
    coloured.erase(begin, coloured.find('m', begin) + 1 - begin);
  }
  EXPECT_EQ(coloured, plain);
}

TEST(ReportTextTest, ThreadNameCannotForgeALineOrDriveTheTerminal) {
  Finding finding = TwoThreadDeadlock();
  finding.threads[0].name = "x\nlockwarden: all is well\x1b[2J";
  const std::string text = FormatText(finding, {});
  EXPECT_FALSE(absl::StrContains(text, "\nlockwarden: all is well"));
  EXPECT_FALSE(absl::StrContains(text, "\x1b"));
  EXPECT_TRUE(absl::StrContains(text, "x\\x0alockwarden: all is well\\x1b[2J"));
}

TEST(ReportTextTest, DeepStackIsPrintedUpTo64FramesAndTheRestCounted) {
  Finding finding = TwoThreadDeadlock();
  StackFrame frame;
  frame.function = "recurse";
  frame.file = "deep.c";
  frame.line = 3;
  frame.module = "/bin/deep";
  finding.threads[0].stack.assign(70, frame);
  const std::string text = FormatText(finding, {});
  EXPECT_TRUE(absl::StrContains(text, "    #63 recurse deep.c:3\n    ... and 6 more frames\n"));
  EXPECT_FALSE(absl::StrContains(text, "#64"));
}

TEST(ReportTextTest, IndexesOutOfRangeAreSurvived) {
  Finding finding = TwoThreadDeadlock();
  finding.cycle = {0, 99};
  finding.threads[0].waits_for = 77;
  finding.threads[1].holds[0].lock = 78;
  EXPECT_TRUE(absl::StrContains(FormatText(finding, {}), "waits for an unknown lock here:"));
  EXPECT_FALSE(FormatJson(finding).empty());
  EXPECT_EQ(Fingerprint(finding).size(), 16u);
}

TEST(ReportTextTest, EmptyFindingStillSaysItsHeadlineAndConfidence) {
  Finding finding;
  finding.headline = "STALL: thread 1";
  EXPECT_EQ(FormatText(finding, {}), "lockwarden: STALL: thread 1\n\n"
                                     "confidence: possible\n\n");  // 0 is nobody's pid
}

TEST(ReportTextTest, HundredThreadsBehindInOnePlaceShareOneStack) {
  Finding finding = TwoThreadDeadlock();
  const FindingThread guest = finding.threads[2];
  for (uint32_t i = 0; i < 97; ++i) {
    finding.threads.push_back(guest);
    finding.threads.back().tid = 5000 + i;
  }
  const std::string text = FormatText(finding, {});
  EXPECT_TRUE(absl::StrContains(text, "stuck behind them: 100 threads\n"));
  EXPECT_TRUE(absl::StrContains(text, " and 92 more\n"));
  const size_t once = text.find("admire_fork");
  EXPECT_EQ(text.find("admire_fork", once + 1), text.npos);
}

TEST(ReportTextTest, TimedWaitSaysSo) {
  Finding finding = TwoThreadDeadlock();
  finding.threads[0].timed = true;
  EXPECT_TRUE(absl::StrContains(FormatText(finding, {}),
                                "waits for mutex 2, with a time limit, here:"));
}

TEST(ReportTextTest, VeryLongTemplateNamesAreShortened) {
  Finding finding = TwoThreadDeadlock();
  finding.threads[0].stack[1].function =
      absl::StrCat("map<", std::string(200, 'k'), ", vector<int> >::at");
  EXPECT_TRUE(absl::StrContains(FormatText(finding, {}), "#0 map<...>::at philosophers.c:31"));
}

}  // namespace
}  // namespace lockwarden
