// Differences of counts that may be a little ahead; see CountLocks.
#include "exporter/lock_tally.h"

namespace lockwarden {

std::vector<LockTally::Delta> LockTally::Take(const LedgerReader& reader) {
  CountLocks(reader, &now_);
  seen_.resize(now_.size());
  std::vector<Delta> deltas;
  for (size_t i = 0; i < now_.size(); ++i) {
    const LockCount& now = now_[i];
    LockCount& seen = seen_[i];
    if (!now.is_lock) continue;
    ClassCounts more;
    // A count that was seen twice is counted once: what is seen may not go back.
    if (now.acquisitions > seen.acquisitions) {
      more.acquisitions = now.acquisitions - seen.acquisitions;
      seen.acquisitions = now.acquisitions;
    }
    if (const auto contended = static_cast<int32_t>(now.contentions - seen.contentions);
        contended > 0) {
      more.contentions = static_cast<uint64_t>(contended);
      seen.contentions = now.contentions;
    }
    if (now.wait_ns > seen.wait_ns) {
      more.wait_seconds = static_cast<double>(now.wait_ns - seen.wait_ns) / 1e9;
      seen.wait_ns = now.wait_ns;
    }
    if (more.acquisitions == 0 && more.contentions == 0 && more.wait_seconds == 0) continue;
    if (now.lock_class > ledger::Capacities().classes) continue;  // makes no sense
    if (now.lock_class >= place_.size()) place_.resize(now.lock_class + 1);
    uint32_t& place = place_[now.lock_class];
    if (place == 0) {
      deltas.push_back({now.lock_class, {}});
      place = static_cast<uint32_t>(deltas.size());
    }
    deltas[place - 1].counts.Add(more);
  }
  for (const Delta& delta : deltas) place_[delta.lock_class] = 0;
  return deltas;
}

}  // namespace lockwarden
