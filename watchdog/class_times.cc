// Differences of counts that wrap round.
#include "watchdog/class_times.h"

namespace lockwarden {

std::vector<ClassTimesReader::Delta> ClassTimesReader::Take(const LedgerReader& reader) {
  std::vector<Delta> deltas;
  const uint32_t classes = reader.ClassCount();
  if (seen_.size() < classes) seen_.resize(classes);
  for (uint32_t i = 0; i < classes; ++i) {
    const TimeCounts now = reader.Times(i + 1);
    TimeCounts& seen = seen_[i];
    if (now.waits == seen.waits && now.holds == seen.holds) continue;
    Delta delta{i + 1, {}};
    for (uint32_t bucket = 0; bucket < ledger::kTimeBuckets; ++bucket) {
      delta.times.waits[bucket] = now.waits[bucket] - seen.waits[bucket];
      delta.times.holds[bucket] = now.holds[bucket] - seen.holds[bucket];
    }
    seen = now;
    deltas.push_back(delta);
  }
  return deltas;
}

}  // namespace lockwarden
