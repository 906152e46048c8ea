// What becomes of findings, and the lines at the end.
#include "watchdog/finding_desk.h"

#include <gtest/gtest.h>

#include <filesystem>

#include "run_process.h"

namespace lockwarden {
namespace {

Finding Make(FindingKind kind, const std::string& function) {
  Finding finding;
  finding.kind = kind;
  finding.confidence = Confidence::kProven;
  finding.headline = "HEADLINE";
  finding.time_ns = 1'700'000'000'000'000'000;
  finding.threads.resize(1);
  finding.threads[0].stack.emplace_back();
  finding.threads[0].stack[0].function = function;
  return finding;
}

class FindingDeskTest : public testing::Test {
 protected:
  FindingDesk& Desk(IncidentWriter* writer) {
    desk_ = std::make_unique<FindingDesk>(options_, writer, &reports_, &notices_);
    return *desk_;
  }
  TemporaryDirectory directory_;
  Options options_;
  ReportSink reports_ = *ReportSink::File(directory_.File("reports"));
  ReportSink notices_ = *ReportSink::File(directory_.File("notices"));
  std::unique_ptr<FindingDesk> desk_;
};

TEST_F(FindingDeskTest, NothingFoundIsNothingSaid) {
  EXPECT_TRUE(Desk(nullptr).Summary({}, 0).empty());
  EXPECT_FALSE(desk_->any_counts_for_exit_code());
}

TEST_F(FindingDeskTest, DeadlockIsReportedEachTimeAndAPredictionOnce) {
  FindingDesk& desk = Desk(nullptr);
  for (int i = 0; i < 2; ++i) {
    Finding deadlock = Make(FindingKind::kDeadlock, "f");
    Finding prediction = Make(FindingKind::kPotentialDeadlock, "g");
    desk.Take(&deadlock, nullptr);
    desk.Take(&prediction, nullptr);
  }
  size_t headlines = 0;
  for (const std::string& line : Lines(ReadFile(directory_.File("reports")))) {
    headlines += line.rfind("lockwarden: HEADLINE", 0) == 0;
  }
  EXPECT_EQ(headlines, 3u);
  EXPECT_EQ(desk.Summary({}, 0),
            (std::vector<std::string>{"4 findings (2 deadlock, 2 potential deadlock)",
                                      "1 of them the same as one reported before"}));
  EXPECT_TRUE(desk.any_counts_for_exit_code());
}

TEST_F(FindingDeskTest, JsonIsOneLineAFinding) {
  options_.format = ReportFormat::kJson;
  FindingDesk& desk = Desk(nullptr);
  Finding one = Make(FindingKind::kDeadlock, "f"), two = Make(FindingKind::kMisuse, "g");
  desk.Take(&one, nullptr);
  desk.Take(&two, nullptr);
  const auto lines = Lines(ReadFile(directory_.File("reports")));
  ASSERT_EQ(lines.size(), 2u);
  for (const std::string& line : lines) EXPECT_EQ(line.front(), '{');
}

TEST_F(FindingDeskTest, IncidentIsWrittenCountedAndNamedInTheSummary) {
  IncidentWriter writer(directory_.File("incidents"));
  EXPECT_FALSE(std::filesystem::exists(writer.directory()));
  FindingDesk& desk = Desk(&writer);
  Finding finding = Make(FindingKind::kDeadlock, "f");
  desk.Take(&finding, nullptr);
  EXPECT_TRUE(std::filesystem::exists(directory_.File("incidents/" + finding.incident)));
  EXPECT_EQ(desk.Summary({}, 0)[0], "1 finding (1 deadlock), incidents in ./lockwarden-incidents");
  MetricsView view;
  desk.CopyTo(&view);
  EXPECT_EQ(view.incidents["deadlock"], 1u);
  EXPECT_EQ(view.deadlocks["deadlock"], 1u);
  EXPECT_EQ(view.deadlocks["self_deadlock"], 0u);  // exported from the start
  EXPECT_GT(view.deadlock_last_timestamp_seconds, 1.6e9);
}

TEST_F(FindingDeskTest, IncidentThatCannotBeWrittenIsALineAndTheReportStillComes) {
  WriteFile(directory_.File("file"), "");
  IncidentWriter writer(directory_.File("file"));
  FindingDesk& desk = Desk(&writer);
  Finding finding = Make(FindingKind::kDeadlock, "f");
  desk.Take(&finding, nullptr);
  const std::string notices = ReadFile(directory_.File("notices"));
  EXPECT_EQ(notices.rfind("lockwarden: cannot write the incident: ", 0), 0u) << notices;
  EXPECT_NE(ReadFile(directory_.File("reports")).find("HEADLINE"), std::string::npos);
  MetricsView view;
  desk.CopyTo(&view);
  EXPECT_EQ(view.incident_write_errors, 1u);
}

TEST_F(FindingDeskTest, EveryDropIsALine) {
  LedgerTotals totals;
  Snapshot snapshot;
  snapshot.tables = {{"edges", 10, 10, 3}, {"locks", 10, 5, 0}};
  snapshot.held_dropped = 2;
  snapshot.stepped_aside = "seccomp";
  totals.Add(snapshot);
  LedgerTotals sum;
  sum.Add(totals);
  sum.Add(totals);
  EXPECT_EQ(Desk(nullptr).Summary(sum, 4),
            (std::vector<std::string>{"dropped records: edges 6", "dropped records: held_list 4",
                                      "recording was given up in 2 processes",
                                      "refused registrations: 4"}));
}

}  // namespace
}  // namespace lockwarden
