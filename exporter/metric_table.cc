// The rows, and how each is read from a view. Zero is the value of what has not
// happened yet, so a view that was never filled is a valid page.
#include "exporter/metric_table.h"

#include <limits>
#include <utility>

#include "exporter/known_labels.h"

namespace lockwarden {
namespace {

using prometheus::MetricType;
using View = const MetricsView&;

MetricSamples One(double value) { return {{"", value}}; }

// Above 2^53 a double counts in steps; at a million a second that is 285 years.
MetricSamples One(uint64_t value) { return One(static_cast<double>(value)); }

MetricSamples WithZeros(LabelValues known, const std::map<std::string, uint64_t>& values) {
  MetricSamples samples;
  for (const char* value : known) samples[value] = 0;
  for (const auto& [label, value] : values) samples[label] = static_cast<double>(value);
  return samples;
}

double Find(const std::map<std::string, uint64_t>& values, const std::string& key) {
  const auto found = values.find(key);
  return found == values.end() ? 0 : static_cast<double>(found->second);
}

constexpr MetricType kCounter = MetricType::Counter;
constexpr MetricType kGauge = MetricType::Gauge;

constexpr MetricRow kRows[] = {
    {"lockwarden_deadlocks_total", kCounter, "Deadlocks that happened.", "kind",
     [](View v) { return WithZeros(KnownDeadlockKinds(), v.deadlocks); }},
    {"lockwarden_deadlocked_threads", kGauge,
     "Threads that are in a deadlock now, or stuck behind one.", "",
     [](View v) { return One(v.deadlocked_threads); }},
    {"lockwarden_deadlock_cycles", kGauge, "Deadlocks that exist now.", "",
     [](View v) { return One(v.deadlock_cycles); }},
    {"lockwarden_deadlock_last_timestamp_seconds", kGauge,
     "When the last deadlock was confirmed, in seconds since 1970; 0 if there was none.", "",
     [](View v) { return One(v.deadlock_last_timestamp_seconds); }},
    {"lockwarden_potential_deadlocks", kGauge,
     "Lock-order cycles known now: deadlocks that could happen.", "",
     [](View v) { return One(v.order_cycles); }},
    {"lockwarden_lock_order_violations_total", kCounter,
     "Acquisitions against a declared lock order.", "",
     [](View v) { return One(Find(v.findings, "order_violation")); }},
    {"lockwarden_misuse_total", kCounter, "Locks used against their rules.", "kind",
     [](View v) { return WithZeros(KnownMisuseKinds(), v.misuse); }},
    {"lockwarden_findings_total", kCounter, "Findings reported, of every kind.", "kind",
     [](View v) { return WithZeros(KnownFindingKinds(), v.findings); }},

    {"lockwarden_lock_acquisitions_total", kCounter, "Locks acquired.", "",
     [](View v) { return One(v.lock_acquisitions); }},
    {"lockwarden_lock_contentions_total", kCounter, "Acquisitions that found the lock taken.", "",
     [](View v) { return One(v.lock_contentions); }},
    {"lockwarden_lock_wait_seconds_total", kCounter, "Time that threads spent waiting for locks.",
     "", [](View v) { return One(v.lock_wait_seconds); }},
    {"lockwarden_locks_tracked", kGauge, "Locks that have a record.", "",
     [](View v) { return One(v.locks_tracked); }},
    {"lockwarden_lock_classes", kGauge, "Sites that locks were created or first taken at.", "",
     [](View v) { return One(v.lock_classes); }},
    {"lockwarden_order_edges", kGauge, "Pairs of locks of which one was taken under the other.", "",
     [](View v) { return One(v.order_edges); }},

    {"lockwarden_program_up", kGauge, "1 while the supervised program runs.", "",
     [](View v) { return One(v.program_running ? 1.0 : 0.0); }},
    {"lockwarden_interposer_active", kGauge, "1 while the program's locks are being recorded.", "",
     [](View v) { return One(v.interposer_active ? 1.0 : 0.0); }},
    {"lockwarden_processes", kGauge, "Recorded processes that run now.", "",
     [](View v) { return One(v.processes); }},
    {"lockwarden_processes_total", kCounter, "Recorded processes since the start.", "",
     [](View v) { return One(v.processes_seen); }},
    {"lockwarden_threads", kGauge, "Threads of the recorded processes.", "",
     [](View v) { return One(v.threads); }},
    {"lockwarden_restarts_total", kCounter, "Restarts of the program.", "reason",
     [](View v) { return WithZeros(KnownRestartReasons(), v.restarts); }},
    {"lockwarden_restart_budget_remaining", kGauge,
     "Restarts left before the supervisor gives up; +Inf without a limit.", "",
     [](View v) {
       return v.restart_budget_remaining < 0 ? One(std::numeric_limits<double>::infinity())
                                             : One(static_cast<double>(v.restart_budget_remaining));
     }},

    {"lockwarden_incidents_total", kCounter, "Incident directories written.", "kind",
     [](View v) { return WithZeros(KnownFindingKinds(), v.incidents); }},
    {"lockwarden_incident_write_errors_total", kCounter,
     "Incidents that could not be written; the finding was still printed.", "",
     [](View v) { return One(v.incident_write_errors); }},

    {"lockwarden_watchdog_checks_total", kCounter, "Times that the watchdog looked.", "",
     [](View v) { return One(v.watchdog_checks); }},
    {"lockwarden_watchdog_last_check_timestamp_seconds", kGauge,
     "When the watchdog last looked, in seconds since 1970.", "",
     [](View v) { return One(v.watchdog_last_check_timestamp_seconds); }},
    {"lockwarden_watchdog_check_seconds", kGauge, "How long the last look took.", "",
     [](View v) { return One(v.watchdog_check_seconds); }},
    {"lockwarden_snapshot_timestamp_seconds", kGauge,
     "When these numbers were taken, in seconds since 1970; 0 before the first time.", "",
     [](View v) { return One(v.snapshot_timestamp_seconds); }},
    {"lockwarden_dropped_records_total", kCounter,
     "Records that found no room: findings that hang on them are missed.", "table",
     [](View v) { return WithZeros(KnownDrops(), v.dropped_records); }},
    {"lockwarden_ledger_capacity", kGauge, "Records that a table of the program's ledger holds.",
     "table", [](View v) { return WithZeros(KnownTables(), v.ledger_capacity); }},
    {"lockwarden_ledger_used", kGauge, "Records in use in a table of the program's ledger.",
     "table", [](View v) { return WithZeros(KnownTables(), v.ledger_used); }},
    {"lockwarden_refused_registrations_total", kCounter,
     "Processes whose ledger could not be taken over, and that go unwatched.", "",
     [](View v) { return One(v.refused_registrations); }},
    {"lockwarden_build_info", kGauge, "1; the version is in the label.", "version",
     [](View) {
       return MetricSamples{{LOCKWARDEN_VERSION, 1}};
     }},
};

}  // namespace

absl::Span<const MetricRow> MetricTable() { return kRows; }

std::vector<prometheus::MetricFamily> Families(const MetricsView& view) {
  std::vector<prometheus::MetricFamily> families;
  families.reserve(MetricTable().size());
  for (const MetricRow& row : MetricTable()) {
    prometheus::MetricFamily family;
    family.name = row.name;
    family.help = row.help;
    family.type = row.type;
    for (const auto& [label, value] : row.read(view)) {
      prometheus::ClientMetric metric;
      if (*row.label != '\0') metric.label.push_back({row.label, label});
      (row.type == kCounter ? metric.counter.value : metric.gauge.value) = value;
      family.metric.push_back(std::move(metric));
    }
    families.push_back(std::move(family));
  }
  return families;
}

}  // namespace lockwarden
