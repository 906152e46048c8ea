// The one table of every metric that Lockwarden exports: collection, the zeros at the
// start and the check of docs/metrics.md all come from it. A new metric is a new row
// here and a new line there.
//
// Pure: rows read views, which are values. Thread-safe: nothing is written.
#pragma once

#include <array>
#include <map>
#include <string>
#include <vector>

#include "absl/types/span.h"
#include "exporter/live_view.h"
#include "prometheus/metric_family.h"
#include "runtime/lock_times.h"
#include "watchdog/metrics_view.h"

namespace lockwarden {

// By label value; by "" for a metric without a label, by "VALUE,SECOND" for one with two (the
// second one is of few known values, none of which has a comma).
using MetricSamples = std::map<std::string, double>;

// Of durations; by label value, as above.
struct MetricHistogram {
  // How many lie in each bucket of runtime/lock_times.h, not cumulated.
  std::array<uint64_t, ledger::kTimeBuckets> counts{};
  double sum_seconds = 0;
};
using MetricHistograms = std::map<std::string, MetricHistogram>;

// What a page is made of.
struct PageSource {
  const MetricsView& watch;  // the supervisor's numbers
  const LiveView& live;      // the side thread's
};

struct MetricRow {
  const char* name;  // whole, with the prefix
  prometheus::MetricType type;
  const char* help;   // one line, no backslash: prometheus-cpp 1.0 does not escape it
  const char* label;  // its name; "": none; "NAME,SECOND": two
  MetricSamples (*read)(const PageSource& source);  // null: a histogram
  MetricHistograms (*read_histograms)(const PageSource& source) = nullptr;
};

// Ordered for people: deadlocks first. One row a family.
absl::Span<const MetricRow> MetricTable();

// Every family of the table, filled from `source`, in the table's order.
std::vector<prometheus::MetricFamily> Families(const PageSource& source);

}  // namespace lockwarden
