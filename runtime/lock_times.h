// LockTimes: how long the locks of one class were waited for and held, as counts by duration.
//
// Written by: any thread of the process, on slow paths: at the end of each wait that had to
// sleep, and of each hold that was chosen to be timed (hold_timer.h). Read by: any reader, which
// takes differences, since the counts wrap round. Must never: be cleared.
#pragma once

#include <atomic>
#include <cstdint>

namespace lockwarden::ledger {

// Upper bounds of the buckets, inclusive; one bucket more takes what is longer. Two a decade,
// from 1 us to 100 s.
inline constexpr uint32_t kTimeBounds = 17;
inline constexpr uint32_t kTimeBuckets = kTimeBounds + 1;
inline constexpr uint64_t kTimeBoundNs[kTimeBounds] = {
    1'000,         3'000,         10'000,         30'000,         100'000,        300'000,
    1'000'000,     3'000'000,     10'000'000,     30'000'000,     100'000'000,    300'000'000,
    1'000'000'000, 3'000'000'000, 10'000'000'000, 30'000'000'000, 100'000'000'000};

constexpr uint32_t TimeBucket(uint64_t duration_ns) {
  uint32_t bucket = 0;
  while (bucket < kTimeBounds && duration_ns > kTimeBoundNs[bucket]) ++bucket;
  return bucket;
}

struct LockTimes {
  std::atomic<uint32_t> waits[kTimeBuckets] = {};
  std::atomic<uint32_t> holds[kTimeBuckets] = {};  // each timed hold counts for several
};
static_assert(sizeof(LockTimes) == 8 * kTimeBuckets);

}  // namespace lockwarden::ledger
