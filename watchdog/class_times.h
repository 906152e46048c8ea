// ClassTimes: how long the locks of a class were waited for and held: how many waits and holds
// lie in each bucket of runtime/lock_times.h. ClassTimesReader takes them from a ledger.
//
// Values; the reader is not thread-safe. Must never: count a wait twice when the ledger's
// counts wrap round.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "runtime/lock_times.h"
#include "watchdog/snapshot.h"

namespace lockwarden {

struct ClassTimes {
  std::array<uint64_t, ledger::kTimeBuckets> waits{}, holds{};

  void Add(const ClassTimes& more) {
    for (uint32_t i = 0; i < ledger::kTimeBuckets; ++i) {
      waits[i] += more.waits[i];
      holds[i] += more.holds[i];
    }
  }
};

// What was counted in one ledger since it was last asked. To be asked before 2^32 more are:
// at a hundred million acquisitions a second, every forty seconds.
class ClassTimesReader {
 public:
  struct Delta {
    uint32_t lock_class = 0;  // as in LockInfo
    ClassTimes times;
  };
  // Classes that have got more, in order; the first call has all.
  std::vector<Delta> Take(const LedgerReader& reader);

 private:
  std::vector<TimeCounts> seen_;  // by class - 1
};

}  // namespace lockwarden
