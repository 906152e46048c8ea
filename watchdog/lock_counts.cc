// LedgerReader: what was counted for each lock, records and caches together. Reads what the
// threads write on every acquisition, so it is for an interval of a second, not of a tick.
#include "watchdog/snapshot.h"

namespace lockwarden {

bool IsLockForMetrics(ledger::LockKind kind, uint32_t own_releases, uint32_t foreign_releases) {
  switch (kind) {
    case ledger::LockKind::kMutex:
    case ledger::LockKind::kRwLock:
    case ledger::LockKind::kSpin:
    case ledger::LockKind::kOnce:
    case ledger::LockKind::kGuard:
    case ledger::LockKind::kFileLock:
    case ledger::LockKind::kLock:
    case ledger::LockKind::kRLock:
    case ledger::LockKind::kSharedLock:
    case ledger::LockKind::kUser:
      return true;
    case ledger::LockKind::kSemaphore:
      return own_releases != 0 && foreign_releases == 0;
    case ledger::LockKind::kNone:
    case ledger::LockKind::kCondition:
    case ledger::LockKind::kBarrier:
    case ledger::LockKind::kFutex:
    case ledger::LockKind::kEvent:
    case ledger::LockKind::kQueue:
    case ledger::LockKind::kFuture:
      break;
  }
  return false;
}

void LedgerReader::CountLocks(std::vector<LockCount>* counts) const {
  const uint32_t locks = Used(ledger::kLocks);
  counts->assign(locks, LockCount());
  for (uint32_t i = 0; i < locks; ++i) {
    const auto& record = *Record<ledger::LockRecord>(ledger::kLocks, i);
    LockCount& count = (*counts)[i];
    // Relaxed, here and below: statistics.
    count.acquisitions = record.acquisitions.load(std::memory_order_relaxed);
    count.contentions = record.contentions.load(std::memory_order_relaxed);  // as above
    count.wait_ns = record.wait_ns.load(std::memory_order_relaxed);          // as above
    count.lock_class = record.lock_class.load(std::memory_order_relaxed);    // as above
    count.is_lock = IsLockForMetrics(
        ledger::KindOf(record.kind_and_flags.load(std::memory_order_relaxed)),  // as above
        record.own_releases.load(std::memory_order_relaxed),                    // as above
        record.foreign_releases.load(std::memory_order_relaxed));               // as above
  }
  const uint32_t slots = Used(ledger::kThreads);
  for (uint32_t slot = 0; slot < slots; ++slot) {
    const auto& thread = *Record<ledger::ThreadRecord>(ledger::kThreads, slot);
    const uint32_t state = thread.state.load(std::memory_order_relaxed);  // as above
    // Of a thread that has ended the caches were added to the records.
    if (ledger::StateOf(state) == ledger::ThreadState::kFree) continue;
    for (const ledger::LockCacheEntry& entry : thread.lock_cache) {
      const uint64_t acquired = entry.count.load(std::memory_order_relaxed);         // as above
      const uint64_t contended = entry.contentions.load(std::memory_order_relaxed);  // as above
      if (acquired == 0 && contended == 0) continue;
      const uint32_t index =
          ledger::IndexOf(entry.lock.load(std::memory_order_relaxed));  // as above
      if (index >= locks) continue;
      (*counts)[index].acquisitions += acquired;
      (*counts)[index].contentions += static_cast<uint32_t>(contended);
    }
  }
}

}  // namespace lockwarden
