// LockCounts: what the locks of a ledger cost, by lock class: the classes' records, and what the
// threads have not added to them yet.
//
// Thread safety: pure functions of a ledger that its program goes on writing to. Must never:
// believe an offset or an index of the ledger without looking at its size.
#pragma once

#include <cstdint>
#include <vector>

#include "runtime/lock_record.h"
#include "watchdog/snapshot.h"

namespace lockwarden {

// What was counted for the locks of one class.
struct ClassCount {
  uint64_t exclusive = 0;  // acquisitions, but to read
  uint64_t contentions = 0, wait_ns = 0;
  uint32_t shared = 0;  // acquisitions to read; wraps round, as it does in the ledger
};

// By class, as in LockInfo::lock_class; at 0 those of locks without one. A count that is on its
// way from a thread's cache to its tally, or from there to the class, may be in both, or in
// neither. Reads what threads write on every acquisition: for an interval of a second, not of a
// tick.
void CountClasses(const LedgerReader& reader, std::vector<ClassCount>* counts);

}  // namespace lockwarden
