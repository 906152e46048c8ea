// LockTally: what the locks of one process cost since it was last asked, by lock class of the
// ledger. Kept per lock: memory is used again for locks of other classes, and what a lock
// counted must stay where it was counted.
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
  std::vector<LockCount> now_, seen_;  // by lock
  std::vector<uint32_t> place_;        // by class: in the result, plus 1
};

}  // namespace lockwarden
