// The table of metrics: what each family says, with nothing listening anywhere.
#include "exporter/metric_table.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <set>
#include <string>

#include "absl/strings/match.h"
#include "exporter/known_labels.h"
#include "runtime/ledger.h"

namespace lockwarden {
namespace {

using prometheus::MetricType;

// Nothing but the supervisor's numbers.
std::vector<prometheus::MetricFamily> FamiliesOf(const MetricsView& watch) {
  return Families({watch, LiveView()});
}

// The value of a family's sample with that label value; NaN: there is none.
double Value(const std::vector<prometheus::MetricFamily>& families, const std::string& name,
             const std::string& label = "") {
  for (const auto& family : families) {
    if (family.name != name) continue;
    for (const auto& metric : family.metric) {
      std::string values;
      for (const auto& one : metric.label) values += (values.empty() ? "" : ",") + one.value;
      if (values != label) continue;
      if (family.type == MetricType::Histogram) return metric.histogram.sample_sum;
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
    EXPECT_TRUE(absl::StartsWith(name, "lockwarden_") || absl::StartsWith(name, "process_"))
        << name;
    EXPECT_EQ(name.find_first_not_of("abcdefghijklmnopqrstuvwxyz_"), name.npos) << name;
    EXPECT_EQ(absl::EndsWith(name, "_total"), row.type == MetricType::Counter) << name;
    EXPECT_EQ(row.read_histograms != nullptr, row.type == MetricType::Histogram) << name;
    EXPECT_EQ(row.read == nullptr, row.type == MetricType::Histogram) << name;
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
  const auto families = FamiliesOf(MetricsView{});
  ASSERT_EQ(families.size(), MetricTable().size());
  for (const auto& family : families) {
    // Of names that the program has to give first there are none.
    if (family.name.find("_heartbeat_") != family.name.npos) continue;
    EXPECT_FALSE(family.metric.empty()) << family.name;
    if (family.name == "lockwarden_build_info") continue;
    if (family.name == "lockwarden_restart_budget_remaining") continue;
    for (const auto& metric : family.metric) {
      EXPECT_EQ(metric.counter.value, 0) << family.name;
      EXPECT_EQ(metric.gauge.value, 0) << family.name;
      EXPECT_EQ(metric.histogram.sample_count, 0u) << family.name;
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
  view.metrics_bind_failures = 46;
  view.heartbeats["net"] = {.last_timestamp_seconds = 53,
                            .deadline_seconds = 54,
                            .paused = true,
                            .missed = 55,
                            .late = 56};
  view.stalled_threads = {{"lock", 57}};
  view.incident_bytes = 58;
  view.incidents_removed = 59;
  view.hooks = {{"ok", 60}};
  view.clock_jumps = {{"suspend", 61}};
  view.counts = {.actions = {{"abort,ok", 62}},
                 .suppressed = {{"confidence", 63}},
                 .dumps = {{"ptrace,partial", 64}},
                 .dump_seconds = 65};
  view.overhead_seconds = 66;
  LiveView live = LiveView::Empty();
  live.classes.push_back({.name = "a lock.cc:1",
                          .counts = {.acquisitions = 9,
                                     .contentions = 10,
                                     .wait_seconds = 11.5,
                                     .hold_seconds = 40.5,
                                     .shared = 2},
                          .times = {},
                          .waiters = 41,
                          .oldest_wait_seconds = 42,
                          .oldest_hold_seconds = 43});
  live.classes_folded = 44;
  live.samples = 45;
  live.process = {.cpu_seconds = 47,
                  .start_time_seconds = 52,
                  .resident_bytes = 48,
                  .virtual_bytes = 49,
                  .open_fds = 50,
                  .threads = 51};
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
  view.last_incident = "the-id";
  view.last_incident_seconds = 1021;
  view.watchdog_checks = 22;
  view.watchdog_last_check_timestamp_seconds = 23;
  view.watchdog_check_seconds = 24;
  view.snapshot_timestamp_seconds = 25;
  view.dropped_records = {{"held_list", 26}};
  view.ledger_capacity = {{"locks", 27}};
  view.ledger_used = {{"locks", 28}};
  view.refused_registrations = 29;
  view.deadlocks_broken = 30;
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
      {"lockwarden_lock_acquisitions_total", "a lock.cc:1,exclusive", 7},
      {"lockwarden_deadlocks_broken_total", "", 30},
      {"lockwarden_lock_contentions_total", "a lock.cc:1", 10},
      {"lockwarden_lock_wait_seconds_total", "a lock.cc:1", 11.5},
      {"lockwarden_lock_hold_seconds_total", "a lock.cc:1", 40.5},
      {"lockwarden_lock_waiters", "a lock.cc:1", 41},
      {"lockwarden_lock_oldest_wait_start_timestamp_seconds", "a lock.cc:1", 42},
      {"lockwarden_lock_oldest_hold_start_timestamp_seconds", "a lock.cc:1", 43},
      {"lockwarden_lock_classes_folded_total", "", 44},
      {"lockwarden_lock_samples_total", "", 45},
      {"lockwarden_metrics_bind_failures_total", "", 46},
      {"lockwarden_heartbeat_last_timestamp_seconds", "net", 53},
      {"lockwarden_heartbeat_deadline_seconds", "net", 54},
      {"lockwarden_heartbeat_paused", "net", 1},
      {"lockwarden_heartbeat_misses_total", "net,stall", 55},
      {"lockwarden_watchdog_actions_total", "abort,ok", 62},
      {"lockwarden_watchdog_suppressed_total", "confidence", 63},
      {"lockwarden_dumps_total", "ptrace,partial", 64},
      {"lockwarden_dump_seconds", "", 65},
      {"lockwarden_overhead_seconds_total", "", 66},
      {"lockwarden_lock_wait_seconds", "a lock.cc:1", 11.5},
      {"lockwarden_lock_hold_seconds", "a lock.cc:1", 40.5},
      {"lockwarden_stalled_threads", "lock", 57},
      {"lockwarden_incident_bytes", "", 58},
      {"lockwarden_incidents_removed_total", "", 59},
      {"lockwarden_hooks_total", "ok", 60},
      {"lockwarden_watchdog_clock_jumps_total", "suspend", 61},
      {"process_cpu_seconds_total", "", 47},
      {"process_resident_memory_bytes", "", 48},
      {"process_virtual_memory_bytes", "", 49},
      {"process_open_fds", "", 50},
      {"process_threads", "", 51},
      {"process_start_time_seconds", "", 52},
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
      {"lockwarden_incident_last_timestamp_seconds", "the-id", 1021},
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
  const auto families = Families({view, live});
  for (const auto& expected : kExpected) {
    EXPECT_EQ(Value(families, expected.name, expected.label), expected.value) << expected.name;
  }
}

TEST(MetricTableTest, AHistogramIsCumulatedAndEndsInAllOfThem) {
  LiveView live = LiveView::Empty();
  live.classes[0].times.waits[0] = 1;                    // up to a microsecond
  live.classes[0].times.waits[6] = 2;                    // up to a millisecond
  live.classes[0].times.waits[ledger::kTimeBounds] = 4;  // more than 100 s
  const auto families = Families({MetricsView(), live});
  const auto waits = std::find_if(families.begin(), families.end(), [](const auto& family) {
    return family.name == "lockwarden_lock_wait_seconds";
  });
  ASSERT_NE(waits, families.end());
  const auto& histogram = waits->metric.at(0).histogram;
  EXPECT_EQ(histogram.sample_count, 7u);
  ASSERT_EQ(histogram.bucket.size(), 18u);
  EXPECT_EQ(histogram.bucket.front().upper_bound, 1e-6);
  EXPECT_EQ(histogram.bucket[5].cumulative_count, 1u);
  EXPECT_EQ(histogram.bucket[6].upper_bound, 1e-3);
  EXPECT_EQ(histogram.bucket[16].upper_bound, 100);
  EXPECT_EQ(histogram.bucket[16].cumulative_count, 3u);
  EXPECT_TRUE(std::isinf(histogram.bucket[17].upper_bound));
  EXPECT_EQ(histogram.bucket[17].cumulative_count, 7u);
}

TEST(MetricTableTest, AHeartbeatsNameMayHaveACommaAndStaysOneValue) {
  MetricsView view;
  view.heartbeats["a,b"] = {.missed = 1};
  for (const auto& family : FamiliesOf(view)) {
    if (family.name != "lockwarden_heartbeat_misses_total") continue;
    ASSERT_EQ(family.metric.size(), 2u);
    EXPECT_EQ(family.metric[1].label[0].value, "a,b");
    EXPECT_EQ(family.metric[1].label[1].name, "level");
    EXPECT_EQ(family.metric[1].label[1].value, "stall");
  }
}

TEST(MetricTableTest, NoRestartLimitIsInfinityAndASpentOneIsZero) {
  MetricsView view;
  EXPECT_TRUE(std::isinf(Value(FamiliesOf(view), "lockwarden_restart_budget_remaining")));
  view.restart_budget_remaining = 0;
  EXPECT_EQ(Value(FamiliesOf(view), "lockwarden_restart_budget_remaining"), 0);
}

TEST(MetricTableTest, ALabelValueThatNobodyExpectedIsExportedToo) {
  MetricsView view;
  view.misuse = {{"a_new_kind", 3}};
  EXPECT_EQ(Value(FamiliesOf(view), "lockwarden_misuse_total", "a_new_kind"), 3);
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
