// Differences of counts that may be a little ahead; see CountClasses.
#include "exporter/lock_tally.h"

namespace lockwarden {
namespace {

// A count that was seen twice is counted once: what is seen may not go back.
template <class T>
T Grown(T now, T* seen) {
  if (now <= *seen) return 0;
  const T more = now - *seen;
  *seen = now;
  return more;
}

// The same of a count that wraps round. At the first look all of it is new, however large.
uint32_t GrownOfWrapping(uint32_t now, uint32_t* seen) {
  const uint32_t more = now - *seen;
  if (*seen != 0 && static_cast<int32_t>(more) <= 0) return 0;
  *seen = now;
  return more;
}

}  // namespace

std::vector<LockTally::Delta> LockTally::Take(const LedgerReader& reader) {
  CountClasses(reader, &now_);
  seen_.resize(now_.size());
  std::vector<Delta> deltas;
  for (uint32_t i = 0; i < now_.size(); ++i) {
    ClassCounts more;
    more.shared = GrownOfWrapping(now_[i].shared, &seen_[i].shared);
    more.acquisitions = more.shared + Grown(now_[i].exclusive, &seen_[i].exclusive);
    more.contentions = Grown(now_[i].contentions, &seen_[i].contentions);
    const uint64_t waited_ns = Grown(now_[i].wait_ns, &seen_[i].wait_ns);
    more.wait_seconds = static_cast<double>(waited_ns) / 1e9;
    if (more.acquisitions == 0 && more.contentions == 0 && waited_ns == 0) continue;
    deltas.push_back({i, more});
  }
  return deltas;
}

}  // namespace lockwarden
