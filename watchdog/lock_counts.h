// LockCounts: what was counted for each lock of a ledger, records and threads' caches together.
//
// Thread safety: pure functions of a ledger that its program goes on writing to. Must never:
// believe an offset or an index of the ledger without looking at its size.
#pragma once

#include <cstdint>
#include <vector>

#include "runtime/lock_ref.h"
#include "watchdog/snapshot.h"

namespace lockwarden {

// What was counted for one lock record, over all the lives that it had.
struct LockCount {
  uint64_t acquisitions = 0, wait_ns = 0;
  uint32_t contentions = 0;  // wraps round, as it does in the record
  uint32_t lock_class = 0;   // of its present life; as in LockInfo
  bool is_lock = false;      // see IsLockForMetrics
};

// The counts of every lock, by index. A count that is on its way from a cache to the record
// may be in both, or in neither. Reads what threads write on every acquisition: for an interval
// of a second, not of a tick.
void CountLocks(const LedgerReader& reader, std::vector<LockCount>* counts);

// Whether to wait for it is to wait for a lock: for a condition, a barrier or work (a semaphore
// that others post) an idle thread waits for hours, and nothing is wrong.
bool IsLockForMetrics(ledger::LockKind kind, uint32_t own_releases, uint32_t foreign_releases);

}  // namespace lockwarden
