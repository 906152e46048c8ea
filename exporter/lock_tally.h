// LockTally: what the locks of one process cost since it was last asked, by lock class of the
// ledger.
//
// Not thread-safe.
#pragma once

#include <cstdint>
#include <vector>

#include "exporter/class_book.h"
#include "watchdog/lock_counts.h"

namespace lockwarden {

class LockTally {
 public:
  struct Delta {
    uint32_t lock_class = 0;  // as in LockInfo; 0: none
    ClassCounts counts;
  };
  // What was counted since the last call, one entry a class; the first call has all.
  std::vector<Delta> Take(const LedgerReader& reader);

 private:
  std::vector<ClassCount> now_, seen_;  // by class
};

}  // namespace lockwarden
