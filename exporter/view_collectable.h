// ViewCollectable: answers a scrape from the last published view.
//
// prometheus-cpp calls Collect() under the mutex that also guards registration, so a
// Collect that waits for anything blocks every scrape: this one copies a pointer.
// Thread safety: thread-safe. Must never: wait for the program, the judge or a report.
#pragma once

#include <vector>

#include "prometheus/collectable.h"
#include "watchdog/metrics_view.h"

namespace lockwarden {

class ViewCollectable : public prometheus::Collectable {
 public:
  explicit ViewCollectable(const MetricsBoard* board) : board_(board) {}  // must outlive this
  std::vector<prometheus::MetricFamily> Collect() const override;

 private:
  const MetricsBoard* const board_;
};

}  // namespace lockwarden
