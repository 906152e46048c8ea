// See the header: a pointer copy, then pure code on a value.
#include "exporter/view_collectable.h"

#include "exporter/metric_table.h"

namespace lockwarden {

std::vector<prometheus::MetricFamily> ViewCollectable::Collect() const {
  return Families(*board_->Latest());
}

}  // namespace lockwarden
