// What becomes of findings, and the lines at the end.
#include "watchdog/finding_desk.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <csignal>
#include <filesystem>

#include "run_process.h"
#include "watchdog/report.h"

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

TEST_F(FindingDeskTest, ADeadlockThatComesAgainAndAgainLeavesFewIncidentsThatCount) {
  IncidentWriter writer(directory_.File("incidents"));
  FindingDesk& desk = Desk(&writer);
  std::string last;
  for (int i = 1; i <= 11; ++i) {
    Finding finding = Make(FindingKind::kDeadlock, "f");
    desk.Take(&finding, nullptr);
    EXPECT_EQ(finding.incident != last, i == 1 || i == 2 || i == 4 || i == 8) << i;
    last = finding.incident;  // each report names one that is there
  }
  const std::string seen = ReadFile(directory_.File("incidents/" + last + "/seen.json"));
  EXPECT_NE(seen.find("\"count\": 11, \"incidents\": 4"), seen.npos) << seen;
  const auto summary = desk.Summary({}, 0);
  EXPECT_NE(std::find(summary.begin(), summary.end(),
                      "7 were only counted in an incident of the same kind"),
            summary.end());
  // Who removes it gets a new one.
  std::filesystem::remove_all(directory_.File("incidents/" + last));
  Finding finding = Make(FindingKind::kDeadlock, "f");
  desk.Take(&finding, nullptr);
  EXPECT_TRUE(std::filesystem::exists(directory_.File("incidents/" + finding.incident)));
}

TEST_F(FindingDeskTest, APredictionThatComesAgainIsCountedInItsIncident) {
  IncidentWriter writer(directory_.File("incidents"));
  FindingDesk& desk = Desk(&writer);
  std::string incident;
  for (int i = 0; i < 3; ++i) {
    Finding finding = Make(FindingKind::kPotentialDeadlock, "f");
    desk.Take(&finding, nullptr);
    if (i == 0) incident = finding.incident;
  }
  const std::string seen = ReadFile(directory_.File("incidents/" + incident + "/seen.json"));
  EXPECT_NE(seen.find("\"count\": 3"), seen.npos) << seen;
}

TEST_F(FindingDeskTest, WhatFindsNoPlaceElsewhereIsSaidOnStandardError) {
  WriteFile(directory_.File("file"), "");
  IncidentWriter writer(directory_.File("file"));
  FindingDesk& desk = Desk(&writer);
  Finding finding = Make(FindingKind::kDeadlock, "f");
  desk.Take(&finding, nullptr);
  EXPECT_NE(ReadFile(directory_.File("notices")).find("\nlockwarden: HEADLINE"), std::string::npos);
  Crash crash;
  crash.signal = SIGKILL;
  crash.out_of_memory = true;
  crash.scene = Make(FindingKind::kMisuse, "g");
  crash.scene.headline = "CRASH: HEADLINE";
  EXPECT_TRUE(desk.TakeCrash(&crash, nullptr));
  EXPECT_NE(ReadFile(directory_.File("notices")).find("\nlockwarden: CRASH: HEADLINE"),
            std::string::npos);
  crash.out_of_memory = false;
  EXPECT_FALSE(desk.TakeCrash(&crash, nullptr)) << "nothing was held: there is nothing to tell";
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

TEST(GlobTest, AgreesWithATable) {
  const struct {
    const char *pattern, *text;
    bool matches;
  } cases[] = {{"f", "f", true},
               {"f", "ff", false},
               {"", "", true},
               {"*", "", true},
               {"f*", "f", true},
               {"f*", "foo", true},
               {"*o", "foo", true},
               {"*o*o*", "foo", true},
               {"*o*o*o*", "foo", false},
               {"f?o", "foo", true},
               {"f?o", "fo", false},
               {"a*b*c", "axxbyybzc", true},
               {"a*b*c", "acb", false},
               {"A::~A", "A::~A", true},
               {"x[*]", "x[1]", true},
               {"*ab", "aaab", true},
               {"operator()", "operator()", true}};
  for (const auto& c : cases) {
    EXPECT_EQ(MatchesGlob(c.pattern, c.text), c.matches) << c.pattern << " on " << c.text;
  }
}

TEST(SuppressionsTest, KindAndPlaceMustBothFit) {
  Finding finding = Make(FindingKind::kPotentialDeadlock, "Cache::Refresh");
  finding.threads[0].stack[0].module = "/usr/lib/libcache.so.3";
  finding.threads[0].stack[0].file = "src/cache.cc";
  finding.threads.emplace_back(finding.threads[0]);
  finding.threads[1].stack[0].function = "Bystander";
  finding.threads[1].role = FindingThread::Role::kOther;
  const auto covers = [](const std::string& text, const Finding& of) {
    return Suppressions::Parse(text, "file")->Covers(of);
  };
  for (const char* line :
       {"potential_deadlock:Cache::Refresh", "  potential_deadlock : Cache::*  # ours",
        "*:libcache.so*", "potential_deadlock:/usr/lib/*", "potential_deadlock:cache.cc",
        "misuse:nothing\n\n*:src/cache.cc"}) {
    EXPECT_TRUE(covers(line, finding)) << line;
  }
  for (const char* line : {"misuse:Cache::Refresh", "potential_deadlock:Refresh",
                           "potential_deadlock:Bystander", "# *:*", ""}) {
    EXPECT_FALSE(covers(line, finding)) << line;
  }
  EXPECT_FALSE(covers("*:*", Make(FindingKind::kDeadlock, "f"))) << "it hangs";
  EXPECT_FALSE(covers("*:*", Make(FindingKind::kSelfDeadlock, "f")));
}

TEST(SuppressionsTest, WhatIsNeverUsedIsListedByItsLine) {
  auto suppressions = Suppressions::Parse("misuse:f\n# no\nmisuse:g\n", "file");
  EXPECT_TRUE(suppressions->Covers(Make(FindingKind::kMisuse, "f")));
  EXPECT_EQ(suppressions->Unused(), (std::vector<std::string>{"file:3: misuse:g"}));
}

TEST(BaselineTest, WhatOneRunWritesTheNextKnows) {
  BaselineText text;
  Finding finding = Make(FindingKind::kPotentialDeadlock, "f"),
          hang = Make(FindingKind::kDeadlock, "h");
  finding.fingerprint = "0123456789abcdef";
  hang.fingerprint = "fedcba9876543210";
  text.Add(finding);
  text.Add(finding);
  text.Add(hang);
  auto baseline = Baseline::Parse(text.Text(), "file");
  ASSERT_TRUE(baseline.ok()) << baseline.status();
  EXPECT_EQ(baseline->Unseen(),
            (std::vector<std::string>{"file:2: 0123456789abcdef potential_deadlock in f"}));
  EXPECT_TRUE(baseline->Knows(finding));
  EXPECT_FALSE(baseline->Knows(hang));
  EXPECT_TRUE(baseline->Unseen().empty());
  finding.fingerprint[0] = '1';
  EXPECT_FALSE(baseline->Knows(finding));
}

TEST(BaselineTest, ALineThatIsNoneIsAnErrorWithItsNumber) {
  for (const char* line : {"xyz", "0123456789abcde f", "0123456789ABCDEF", "0123456789abcdef0"}) {
    const auto baseline = Baseline::Parse(std::string("# head\n") + line + "\n", "file");
    ASSERT_FALSE(baseline.ok()) << line;
    EXPECT_EQ(baseline.status().message().substr(0, 8), "file:2: ") << baseline.status();
  }
  EXPECT_TRUE(Baseline::Parse("", "file").ok());
}

TEST_F(FindingDeskTest, WhatIsSuppressedOrKnownIsCountedNotToldAndFailsNoRun) {
  options_.verbose = true;
  FindingDesk& desk = Desk(nullptr);
  auto suppressions = *Suppressions::Parse("misuse:f\nmisuse:nothing", "supp");
  Finding known = Make(FindingKind::kPotentialDeadlock, "g");
  auto baseline = *Baseline::Parse(Fingerprint(known) + " old\n0000000000000000 gone", "base");
  desk.Filter(&suppressions, &baseline);
  Finding suppressed = Make(FindingKind::kMisuse, "f");
  desk.Take(&suppressed, nullptr);
  desk.Take(&known, nullptr);
  EXPECT_FALSE(desk.any_counts_for_exit_code());
  EXPECT_EQ(ReadFile(directory_.File("reports")), "");
  const auto notices = Lines(ReadFile(directory_.File("notices")));
  ASSERT_EQ(notices.size(), 2u);
  EXPECT_EQ(notices[0].rfind("lockwarden: not told, suppressed: HEADLINE (pid 0, fingerprint ", 0),
            0u);
  desk.CountMerged(3);
  EXPECT_EQ(desk.Summary({}, 0),
            (std::vector<std::string>{"3 more in the same functions as one of them",
                                      "1 finding suppressed", "1 finding known from the baseline",
                                      "unused suppression: supp:2: misuse:nothing",
                                      "in the baseline, not seen: base:2: 0000000000000000 gone"}));
  EXPECT_NE(desk.NewBaseline().find(Fingerprint(known)), std::string::npos);
  EXPECT_EQ(desk.NewBaseline().find(Fingerprint(suppressed)), std::string::npos);
  Finding fresh = Make(FindingKind::kPotentialDeadlock, "h");
  desk.Take(&fresh, nullptr);
  EXPECT_TRUE(desk.any_counts_for_exit_code());
}

}  // namespace
}  // namespace lockwarden
