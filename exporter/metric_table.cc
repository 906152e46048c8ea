// The rows, and how each is read from a view. Zero is the value of what has not
// happened yet, so a view that was never filled is a valid page.
#include "exporter/metric_table.h"

#include <limits>
#include <utility>

#include "absl/strings/str_cat.h"
#include "exporter/known_labels.h"
#include "watchdog/printable.h"

namespace lockwarden {
namespace {

using prometheus::MetricType;
using View = const PageSource&;

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
constexpr MetricType kHistogram = MetricType::Histogram;

// Of two labels, each first value with each second one.
MetricSamples WithZeros(LabelValues first, LabelValues second,
                        const std::map<std::string, uint64_t>& values) {
  MetricSamples samples;
  for (const char* a : first) {
    for (const char* b : second) samples[absl::StrCat(a, ",", b)] = 0;
  }
  for (const auto& [labels, value] : values) samples[labels] = static_cast<double>(value);
  return samples;
}

using Beat = HeartbeatMetrics;
constexpr char kHeartbeat[] = "heartbeat";

template <class Read>
MetricSamples ByHeartbeat(View v, Read read) {
  MetricSamples samples;
  for (const auto& [name, beat] : v.watch.heartbeats) {
    samples[Printable(name)] = static_cast<double>(read(beat));
  }
  return samples;
}

using Class = ClassSeries;
constexpr char kClass[] = "lock_class";

// `all`: of every class, for who publishes numbers and no ledgers to look at.
template <class Read>
MetricSamples ByClass(View v, Read read, double all = 0) {
  if (v.live.classes.empty()) return {{"other", all}};
  MetricSamples samples;
  for (const Class& c : v.live.classes) samples[c.name] = static_cast<double>(read(c));
  return samples;
}

template <class Times>
MetricHistograms HistogramsByClass(View v, Times times) {
  MetricHistograms histograms;
  if (v.live.classes.empty()) histograms["other"];
  for (const Class& c : v.live.classes) histograms[c.name] = times(c);
  return histograms;
}

constexpr MetricRow kRows[] = {
    {"lockwarden_deadlocks_total", kCounter, "Deadlocks that happened.", "kind",
     [](View v) { return WithZeros(KnownDeadlockKinds(), v.watch.deadlocks); }},
    {"lockwarden_deadlocked_threads", kGauge,
     "Threads that are in a deadlock now, or stuck behind one.", "",
     [](View v) { return One(v.watch.deadlocked_threads); }},
    {"lockwarden_deadlock_cycles", kGauge, "Deadlocks that exist now.", "",
     [](View v) { return One(v.watch.deadlock_cycles); }},
    {"lockwarden_deadlock_last_timestamp_seconds", kGauge,
     "When the last deadlock was confirmed, in seconds since 1970; 0 if there was none.", "",
     [](View v) { return One(v.watch.deadlock_last_timestamp_seconds); }},
    {"lockwarden_potential_deadlocks", kGauge,
     "Lock-order cycles known now: deadlocks that could happen.", "",
     [](View v) { return One(v.watch.order_cycles); }},
    {"lockwarden_lock_order_violations_total", kCounter,
     "Acquisitions against a declared lock order.", "",
     [](View v) { return One(Find(v.watch.findings, "order_violation")); }},
    {"lockwarden_misuse_total", kCounter, "Locks used against their rules.", "kind",
     [](View v) { return WithZeros(KnownMisuseKinds(), v.watch.misuse); }},
    {"lockwarden_findings_total", kCounter, "Findings reported, of every kind.", "kind",
     [](View v) { return WithZeros(KnownFindingKinds(), v.watch.findings); }},

    {"lockwarden_deadlocks_broken_total", kCounter,
     "Waits that would have closed a deadlock and threw DeadlockError instead.", "",
     [](View v) { return One(v.watch.deadlocks_broken); }},
    {"lockwarden_lock_acquisitions_total", kCounter, "Locks acquired.", "lock_class,mode",
     [](View v) {
       MetricSamples samples;
       if (v.live.classes.empty()) {
         samples["other,exclusive"] = static_cast<double>(v.watch.lock_acquisitions);
         samples["other,shared"] = 0;
       }
       for (const Class& c : v.live.classes) {
         const uint64_t shared = c.counts.shared;
         samples[absl::StrCat(c.name, ",exclusive")] =
             static_cast<double>(c.counts.acquisitions - shared);
         samples[absl::StrCat(c.name, ",shared")] = static_cast<double>(shared);
       }
       return samples;
     }},
    {"lockwarden_lock_contentions_total", kCounter, "Acquisitions that found the lock taken.",
     kClass,
     [](View v) {
       return ByClass(
           v, [](const Class& c) { return c.counts.contentions; },
           static_cast<double>(v.watch.lock_contentions));
     }},
    {"lockwarden_lock_wait_seconds_total", kCounter, "Time that threads slept waiting for locks.",
     kClass,
     [](View v) {
       return ByClass(
           v, [](const Class& c) { return c.counts.wait_seconds; }, v.watch.lock_wait_seconds);
     }},
    {"lockwarden_lock_hold_seconds_total", kCounter,
     "Time that locks were held, by samples taken from outside.", kClass,
     [](View v) { return ByClass(v, [](const Class& c) { return c.counts.hold_seconds; }); }},
    {"lockwarden_lock_wait_seconds", kHistogram,
     "How long threads slept waiting for a lock, of waits that have ended.", kClass, nullptr,
     [](View v) {
       return HistogramsByClass(v, [](const Class& c) {
         return MetricHistogram{c.times.waits, c.counts.wait_seconds};
       });
     }},
    {"lockwarden_lock_hold_seconds", kHistogram,
     "How long locks were held, by holds that were timed, each counted for those it stands for.",
     kClass, nullptr,
     [](View v) {
       return HistogramsByClass(v, [](const Class& c) {
         return MetricHistogram{c.times.holds, c.counts.hold_seconds};
       });
     }},
    {"lockwarden_lock_waiters", kGauge, "Threads that wait for a lock now.", kClass,
     [](View v) { return ByClass(v, [](const Class& c) { return c.waiters; }); }},
    {"lockwarden_lock_oldest_wait_start_timestamp_seconds", kGauge,
     "When the oldest wait that goes on now began, in seconds since 1970; 0 if nobody waits.",
     kClass,
     [](View v) { return ByClass(v, [](const Class& c) { return c.oldest_wait_seconds; }); }},
    {"lockwarden_lock_oldest_hold_start_timestamp_seconds", kGauge,
     "Since when at least the lock held longest is held, in seconds since 1970; 0 if none is.",
     kClass,
     [](View v) { return ByClass(v, [](const Class& c) { return c.oldest_hold_seconds; }); }},
    {"lockwarden_lock_classes_folded_total", kCounter,
     "Lock classes that were counted in other, for want of a series of their own.", "",
     [](View v) { return One(v.live.classes_folded); }},
    {"lockwarden_lock_samples_total", kCounter, "Looks at who holds and waits for what.", "",
     [](View v) { return One(v.live.samples); }},
    {"lockwarden_locks_tracked", kGauge, "Locks that have a record.", "",
     [](View v) { return One(v.watch.locks_tracked); }},
    {"lockwarden_lock_classes", kGauge, "Sites that locks were created or first taken at.", "",
     [](View v) { return One(v.watch.lock_classes); }},
    {"lockwarden_order_edges", kGauge, "Pairs of locks of which one was taken under the other.", "",
     [](View v) { return One(v.watch.order_edges); }},

    {"lockwarden_program_up", kGauge, "1 while the supervised program runs.", "",
     [](View v) { return One(v.watch.program_running ? 1.0 : 0.0); }},
    {"lockwarden_interposer_active", kGauge, "1 while the program's locks are being recorded.", "",
     [](View v) { return One(v.watch.interposer_active ? 1.0 : 0.0); }},
    {"lockwarden_processes", kGauge, "Recorded processes that run now.", "",
     [](View v) { return One(v.watch.processes); }},
    {"lockwarden_processes_total", kCounter, "Recorded processes since the start.", "",
     [](View v) { return One(v.watch.processes_seen); }},
    {"lockwarden_threads", kGauge, "Threads of the recorded processes.", "",
     [](View v) { return One(v.watch.threads); }},
    {"lockwarden_restarts_total", kCounter, "Restarts of the program.", "reason",
     [](View v) { return WithZeros(KnownRestartReasons(), v.watch.restarts); }},
    {"lockwarden_restart_budget_remaining", kGauge,
     "Restarts left before the supervisor gives up; +Inf without a limit.", "",
     [](View v) {
       return v.watch.restart_budget_remaining < 0
                  ? One(std::numeric_limits<double>::infinity())
                  : One(static_cast<double>(v.watch.restart_budget_remaining));
     }},

    {"lockwarden_heartbeat_last_timestamp_seconds", kGauge,
     "When the heartbeat last beat, in seconds since 1970; 0 if it beats no more.", kHeartbeat,
     [](View v) { return ByHeartbeat(v, [](const Beat& b) { return b.last_timestamp_seconds; }); }},
    {"lockwarden_heartbeat_deadline_seconds", kGauge,
     "Within how long the heartbeat has to beat again.", kHeartbeat,
     [](View v) { return ByHeartbeat(v, [](const Beat& b) { return b.deadline_seconds; }); }},
    {"lockwarden_heartbeat_paused", kGauge, "1 while the heartbeat need not beat.", kHeartbeat,
     [](View v) { return ByHeartbeat(v, [](const Beat& b) { return b.paused ? 1 : 0; }); }},
    {"lockwarden_heartbeat_misses_total", kCounter,
     "Deadlines that the heartbeat missed: beats that came late, and stalls that were told.",
     "heartbeat,level",
     [](View v) {
       MetricSamples samples;
       for (const auto& [name, beat] : v.watch.heartbeats) {
         samples[absl::StrCat(Printable(name), ",late")] = static_cast<double>(beat.late);
         samples[absl::StrCat(Printable(name), ",stall")] = static_cast<double>(beat.missed);
       }
       return samples;
     }},
    {"lockwarden_stalled_threads", kGauge, "Threads whose heartbeat stays away now.", "cause",
     [](View v) { return WithZeros(KnownStallCauses(), v.watch.stalled_threads); }},

    {"lockwarden_incidents_total", kCounter, "Incident directories written.", "kind",
     [](View v) { return WithZeros(KnownIncidentKinds(), v.watch.incidents); }},
    {"lockwarden_incident_last_timestamp_seconds", kGauge,
     "When what the last incident tells happened, in seconds since 1970; 0 if there was none.",
     "incident",
     [](View v) { return MetricSamples{{v.watch.last_incident, v.watch.last_incident_seconds}}; }},
    {"lockwarden_incident_write_errors_total", kCounter,
     "Incidents that could not be written; the finding was still printed.", "",
     [](View v) { return One(v.watch.incident_write_errors); }},

    {"lockwarden_incident_bytes", kGauge,
     "Bytes in the incidents directory; 0 before the first incident.", "",
     [](View v) { return One(v.watch.incident_bytes); }},
    {"lockwarden_incidents_removed_total", kCounter, "Incidents removed to keep to the quota.", "",
     [](View v) { return One(v.watch.incidents_removed); }},
    {"lockwarden_hooks_total", kCounter, "Commands that were run for incidents.", "result",
     [](View v) { return WithZeros(KnownHookResults(), v.watch.hooks); }},

    {"lockwarden_watchdog_checks_total", kCounter, "Times that the watchdog looked.", "",
     [](View v) { return One(v.watch.watchdog_checks); }},
    {"lockwarden_watchdog_last_check_timestamp_seconds", kGauge,
     "When the watchdog last looked, in seconds since 1970.", "",
     [](View v) { return One(v.watch.watchdog_last_check_timestamp_seconds); }},
    {"lockwarden_watchdog_check_seconds", kGauge, "How long the last look took.", "",
     [](View v) { return One(v.watch.watchdog_check_seconds); }},
    {"lockwarden_watchdog_clock_jumps_total", kCounter,
     "Times that the watchdog did not trust its own clock, and blamed nobody.", "cause",
     [](View v) { return WithZeros(KnownClockJumps(), v.watch.clock_jumps); }},
    {"lockwarden_watchdog_actions_total", kCounter, "What the watchdog did about findings.",
     "action,result",
     [](View v) {
       return WithZeros(KnownActions(), KnownActionResults(), v.watch.counts.actions);
     }},
    {"lockwarden_watchdog_suppressed_total", kCounter,
     "Findings that were not told, and actions that were not taken.", "reason",
     [](View v) { return WithZeros(KnownSuppressions(), v.watch.counts.suppressed); }},
    {"lockwarden_dumps_total", kCounter, "Dumps of the stacks of all threads.", "method,result",
     [](View v) {
       return WithZeros(KnownDumpMethods(), KnownDumpResults(), v.watch.counts.dumps);
     }},
    {"lockwarden_dump_seconds", kGauge, "How long the last dump took.", "",
     [](View v) { return One(v.watch.counts.dump_seconds); }},
    {"lockwarden_overhead_seconds_total", kCounter,
     "Processor time of Lockwarden's own process or threads, outside of the program's threads.", "",
     [](View v) { return One(v.watch.overhead_seconds); }},
    {"lockwarden_snapshot_timestamp_seconds", kGauge,
     "When these numbers were taken, in seconds since 1970; 0 before the first time.", "",
     [](View v) { return One(v.watch.snapshot_timestamp_seconds); }},
    {"lockwarden_dropped_records_total", kCounter,
     "Records that found no room: findings that hang on them are missed.", "table",
     [](View v) { return WithZeros(KnownDrops(), v.watch.dropped_records); }},
    {"lockwarden_ledger_capacity", kGauge, "Records that a table of the program's ledger holds.",
     "table", [](View v) { return WithZeros(KnownTables(), v.watch.ledger_capacity); }},
    {"lockwarden_ledger_used", kGauge, "Records in use in a table of the program's ledger.",
     "table", [](View v) { return WithZeros(KnownTables(), v.watch.ledger_used); }},
    {"lockwarden_refused_registrations_total", kCounter,
     "Processes whose ledger could not be taken over, and that go unwatched.", "",
     [](View v) { return One(v.watch.refused_registrations); }},
    {"lockwarden_metrics_bind_failures_total", kCounter,
     "Times that the port of these metrics could not be had.", "",
     [](View v) { return One(v.watch.metrics_bind_failures); }},

    {"process_cpu_seconds_total", kCounter, "Processor time of the program, user and system.", "",
     [](View v) { return One(v.live.process.cpu_seconds); }},
    {"process_resident_memory_bytes", kGauge, "Memory of the program that is resident.", "",
     [](View v) { return One(v.live.process.resident_bytes); }},
    {"process_virtual_memory_bytes", kGauge, "Address space of the program, its ledger included.",
     "", [](View v) { return One(v.live.process.virtual_bytes); }},
    {"process_open_fds", kGauge, "Open descriptors of the program.", "",
     [](View v) { return One(v.live.process.open_fds); }},
    {"process_threads", kGauge, "Threads of the program.", "",
     [](View v) { return One(v.live.process.threads); }},
    {"process_start_time_seconds", kGauge,
     "When the program started, in seconds since 1970; 0 while it does not run.", "",
     [](View v) { return One(v.live.process.start_time_seconds); }},

    {"lockwarden_build_info", kGauge, "1; the version is in the label.", "version",
     [](View) {
       return MetricSamples{{LOCKWARDEN_VERSION, 1}};
     }},
};

}  // namespace

absl::Span<const MetricRow> MetricTable() { return kRows; }

namespace {

std::vector<prometheus::ClientMetric::Label> Labels(const char* names, const std::string& values) {
  const std::string name = names;
  if (name.empty()) return {};
  const size_t comma = name.find(',');
  if (comma == name.npos) return {{name, values}};
  const size_t second = values.rfind(',');
  return {{name.substr(0, comma), values.substr(0, second)},
          {name.substr(comma + 1), values.substr(second + 1)}};
}

prometheus::ClientMetric::Histogram Cumulated(const MetricHistogram& from) {
  prometheus::ClientMetric::Histogram to;
  for (uint32_t i = 0; i < ledger::kTimeBuckets; ++i) {
    to.sample_count += from.counts[i];
    const double bound = i < ledger::kTimeBounds
                             ? static_cast<double>(ledger::kTimeBoundNs[i]) / 1e9
                             : std::numeric_limits<double>::infinity();
    to.bucket.push_back({to.sample_count, bound});
  }
  to.sample_sum = from.sum_seconds;
  return to;
}

}  // namespace

std::vector<prometheus::MetricFamily> Families(const PageSource& source) {
  std::vector<prometheus::MetricFamily> families;
  families.reserve(MetricTable().size());
  for (const MetricRow& row : MetricTable()) {
    prometheus::MetricFamily family;
    family.name = row.name;
    family.help = row.help;
    family.type = row.type;
    if (row.read_histograms != nullptr) {
      for (const auto& [label, histogram] : row.read_histograms(source)) {
        prometheus::ClientMetric metric;
        metric.label = Labels(row.label, label);
        metric.histogram = Cumulated(histogram);
        family.metric.push_back(std::move(metric));
      }
      families.push_back(std::move(family));
      continue;
    }
    for (const auto& [label, value] : row.read(source)) {
      prometheus::ClientMetric metric;
      metric.label = Labels(row.label, label);
      (row.type == kCounter ? metric.counter.value : metric.gauge.value) = value;
      family.metric.push_back(std::move(metric));
    }
    families.push_back(std::move(family));
  }
  return families;
}

}  // namespace lockwarden
