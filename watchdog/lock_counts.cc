// Statistics for an interval of a second; see the header.
#include "watchdog/lock_counts.h"

#include <algorithm>

#include "runtime/ledger.h"

namespace lockwarden {
namespace {

// The records of a table and how many of them are in use. The directory is read once and
// checked against the segment here, since the program may have changed it since the reader did.
template <class T>
const T* Records(const LedgerReader& reader, ledger::TableId id, uint32_t* used) {
  const auto* base = static_cast<const char*>(reader.base());
  const auto& header = *reinterpret_cast<const ledger::Header*>(base);
  const uint64_t offset = header.tables[id].offset;
  const uint64_t capacity = header.tables[id].capacity;
  *used = 0;
  if (offset % ledger::kPageSize != 0 || offset > reader.size() ||
      capacity * sizeof(T) > reader.size() - offset) {
    return nullptr;
  }
  // Acquire: as LedgerReader::Used.
  *used = static_cast<uint32_t>(
      std::min<uint64_t>(header.tables[id].used.load(std::memory_order_acquire), capacity));
  return reinterpret_cast<const T*>(base + offset);
}

}  // namespace

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

void CountLocks(const LedgerReader& reader, std::vector<LockCount>* counts) {
  uint32_t locks = 0, slots = 0;
  const auto* lock_records = Records<ledger::LockRecord>(reader, ledger::kLocks, &locks);
  const auto* threads = Records<ledger::ThreadRecord>(reader, ledger::kThreads, &slots);
  counts->assign(locks, LockCount());
  for (uint32_t i = 0; i < locks; ++i) {
    const auto& record = lock_records[i];
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
  for (uint32_t slot = 0; slot < slots; ++slot) {
    const auto& thread = threads[slot];
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
