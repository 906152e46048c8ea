// The table of metrics: what each family says, with nothing listening anywhere.
#include "exporter/metric_table.h"

#include <gtest/gtest.h>

#include <cmath>
#include <set>
#include <string>

#include "absl/strings/match.h"
#include "exporter/known_labels.h"
#include "runtime/ledger.h"

namespace lockwarden {
namespace {

using prometheus::MetricType;

// The value of a family's sample with that label value; NaN: there is none.
double Value(const std::vector<prometheus::MetricFamily>& families, const std::string& name,
             const std::string& label = "") {
  for (const auto& family : families) {
    if (family.name != name) continue;
    for (const auto& metric : family.metric) {
      if ((metric.label.empty() ? "" : metric.label[0].value) != label) continue;
      return family.type == MetricType::Counter ? metric.counter.value : metric.gauge.value;
    }
  }
  return std::nan("");
}

TEST(MetricTableTest, EachFamilyHasOneRowAndAWellFormedName) {
  std::set<std::string> names;
  for (const MetricRow& row : MetricTable()) {
    const std::string name = row.name;
    EXPECT_TRUE(names.insert(name).second) << name << " twice";
    EXPECT_TRUE(absl::StartsWith(name, "lockwarden_")) << name;
    EXPECT_EQ(name.find_first_not_of("abcdefghijklmnopqrstuvwxyz_"), name.npos) << name;
    EXPECT_EQ(absl::EndsWith(name, "_total"), row.type == MetricType::Counter) << name;
    EXPECT_TRUE(row.type == MetricType::Counter || row.type == MetricType::Gauge) << name;
  }
}

TEST(MetricTableTest, HelpIsOneLineThatNeedsNoEscaping) {
  for (const MetricRow& row : MetricTable()) {
    const std::string help = row.help;
    EXPECT_FALSE(help.empty()) << row.name;
    EXPECT_EQ(help.find_first_of("\n\r\\"), help.npos) << row.name;
  }
}

TEST(MetricTableTest, EverythingIsThereAsZeroBeforeAnythingHappened) {
  const auto families = Families(MetricsView{});
  ASSERT_EQ(families.size(), MetricTable().size());
  for (const auto& family : families) {
    EXPECT_FALSE(family.metric.empty()) << family.name;
    if (family.name == "lockwarden_build_info") continue;
    if (family.name == "lockwarden_restart_budget_remaining") continue;
    for (const auto& metric : family.metric) {
      EXPECT_EQ(metric.counter.value, 0) << family.name;
      EXPECT_EQ(metric.gauge.value, 0) << family.name;
    }
  }
  for (const char* kind : KnownFindingKinds()) {
    EXPECT_EQ(Value(families, "lockwarden_incidents_total", kind), 0) << kind;
    EXPECT_EQ(Value(families, "lockwarden_findings_total", kind), 0) << kind;
  }
  for (const char* kind : {"deadlock", "self_deadlock"}) {
    EXPECT_EQ(Value(families, "lockwarden_deadlocks_total", kind), 0) << kind;
  }
  for (const char* reason : {"deadlock", "stall", "crash", "exit"}) {
    EXPECT_EQ(Value(families, "lockwarden_restarts_total", reason), 0) << reason;
  }
  EXPECT_EQ(Value(families, "lockwarden_build_info", LOCKWARDEN_VERSION), 1);
}

TEST(MetricTableTest, EachNumberOfTheViewReachesItsOwnFamily) {
  MetricsView view;
  view.deadlocks = {{"deadlock", 1}};
  view.deadlocked_threads = 2;
  view.deadlock_cycles = 3;
  view.deadlock_last_timestamp_seconds = 4;
  view.order_cycles = 5;
  view.findings = {{"order_violation", 6}, {"stall", 7}};
  view.misuse = {{"relock", 8}};
  view.lock_acquisitions = 9;
  view.lock_contentions = 10;
  view.lock_wait_seconds = 11.5;
  view.locks_tracked = 12;
  view.lock_classes = 13;
  view.order_edges = 14;
  view.processes = 15;
  view.processes_seen = 16;
  view.threads = 17;
  view.restarts = {{"crash", 18}};
  view.restart_budget_remaining = 19;
  view.incidents = {{"stall", 20}};
  view.incident_write_errors = 21;
  view.watchdog_checks = 22;
  view.watchdog_last_check_timestamp_seconds = 23;
  view.watchdog_check_seconds = 24;
  view.snapshot_timestamp_seconds = 25;
  view.dropped_records = {{"held_list", 26}};
  view.ledger_capacity = {{"locks", 27}};
  view.ledger_used = {{"locks", 28}};
  view.refused_registrations = 29;
  view.interposer_active = true;
  view.program_running = true;
  const struct {
    const char* name;
    const char* label;
    double value;
  } kExpected[] = {
      {"lockwarden_deadlocks_total", "deadlock", 1},
      {"lockwarden_deadlocked_threads", "", 2},
      {"lockwarden_deadlock_cycles", "", 3},
      {"lockwarden_deadlock_last_timestamp_seconds", "", 4},
      {"lockwarden_potential_deadlocks", "", 5},
      {"lockwarden_lock_order_violations_total", "", 6},
      {"lockwarden_findings_total", "stall", 7},
      {"lockwarden_misuse_total", "relock", 8},
      {"lockwarden_lock_acquisitions_total", "", 9},
      {"lockwarden_lock_contentions_total", "", 10},
      {"lockwarden_lock_wait_seconds_total", "", 11.5},
      {"lockwarden_locks_tracked", "", 12},
      {"lockwarden_lock_classes", "", 13},
      {"lockwarden_order_edges", "", 14},
      {"lockwarden_processes", "", 15},
      {"lockwarden_processes_total", "", 16},
      {"lockwarden_threads", "", 17},
      {"lockwarden_restarts_total", "crash", 18},
      {"lockwarden_restart_budget_remaining", "", 19},
      {"lockwarden_incidents_total", "stall", 20},
      {"lockwarden_incident_write_errors_total", "", 21},
      {"lockwarden_watchdog_checks_total", "", 22},
      {"lockwarden_watchdog_last_check_timestamp_seconds", "", 23},
      {"lockwarden_watchdog_check_seconds", "", 24},
      {"lockwarden_snapshot_timestamp_seconds", "", 25},
      {"lockwarden_dropped_records_total", "held_list", 26},
      {"lockwarden_ledger_capacity", "locks", 27},
      {"lockwarden_ledger_used", "locks", 28},
      {"lockwarden_refused_registrations_total", "", 29},
      {"lockwarden_interposer_active", "", 1},
      {"lockwarden_program_up", "", 1},
      {"lockwarden_build_info", LOCKWARDEN_VERSION, 1},
  };
  EXPECT_EQ(std::size(kExpected), MetricTable().size()) << "a row is not tested here";
  const auto families = Families(view);
  for (const auto& expected : kExpected) {
    EXPECT_EQ(Value(families, expected.name, expected.label), expected.value) << expected.name;
  }
}

TEST(MetricTableTest, NoRestartLimitIsInfinityAndASpentOneIsZero) {
  MetricsView view;
  EXPECT_TRUE(std::isinf(Value(Families(view), "lockwarden_restart_budget_remaining")));
  view.restart_budget_remaining = 0;
  EXPECT_EQ(Value(Families(view), "lockwarden_restart_budget_remaining"), 0);
}

TEST(MetricTableTest, ALabelValueThatNobodyExpectedIsExportedToo) {
  MetricsView view;
  view.misuse = {{"a_new_kind", 3}};
  EXPECT_EQ(Value(Families(view), "lockwarden_misuse_total", "a_new_kind"), 3);
}

TEST(MetricTableTest, KnownTablesAreTheLedgersTablesWithoutItsIndexes) {
  std::set<std::string> known(KnownTables().begin(), KnownTables().end());
  std::set<std::string> tables;
  for (uint32_t id = 0; id < ledger::kTableCount; ++id) {
    const std::string name = ledger::TableName(static_cast<ledger::TableId>(id));
    if (name.find("index") == name.npos) tables.insert(name);
  }
  EXPECT_EQ(known, tables);
}

}  // namespace
}  // namespace lockwarden
