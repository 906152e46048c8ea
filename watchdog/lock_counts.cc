// Statistics for an interval of a second; see the header.
#include "watchdog/lock_counts.h"

#include <algorithm>

#include "runtime/class_tally.h"

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

// Of a tally, or of a class's record.
template <class T>
void Add(const T& from, ClassCount* to) {
  // Relaxed, here and below: statistics.
  to->exclusive += from.exclusive.load(std::memory_order_relaxed);
  to->shared += from.shared.load(std::memory_order_relaxed);            // as above
  to->contentions += from.contentions.load(std::memory_order_relaxed);  // as above
  to->wait_ns += from.wait_ns.load(std::memory_order_relaxed);          // as above
}

}  // namespace

void CountClasses(const LedgerReader& reader, std::vector<ClassCount>* counts) {
  const auto& header = *reinterpret_cast<const ledger::Header*>(reader.base());
  uint32_t locks = 0, slots = 0, classes = 0;
  const auto* lock_records = Records<ledger::LockRecord>(reader, ledger::kLocks, &locks);
  const auto* threads = Records<ledger::ThreadRecord>(reader, ledger::kThreads, &slots);
  const auto* records = Records<ledger::LockClassRecord>(reader, ledger::kClasses, &classes);
  counts->assign(classes + 1, ClassCount());
  Add(header.without_class, &counts->front());
  for (uint32_t i = 0; i < classes; ++i) Add(records[i].totals, &(*counts)[i + 1]);
  for (uint32_t slot = 0; slot < slots; ++slot) {
    const auto& thread = threads[slot];
    const uint32_t state = thread.state.load(std::memory_order_relaxed);  // as above
    // What a thread that has ended counted is in the classes' records.
    if (ledger::StateOf(state) == ledger::ThreadState::kFree) continue;
    for (const ledger::ClassTally& tally : thread.class_tallies) {
      const uint32_t of = tally.lock_class.load(std::memory_order_relaxed);  // as above
      if (of <= classes) Add(tally, &(*counts)[of]);
    }
    for (const ledger::LockCacheEntry& entry : thread.lock_cache) {
      const uint64_t exclusive = entry.exclusive.load(std::memory_order_relaxed);  // as above
      const uint32_t shared = entry.shared.load(std::memory_order_relaxed);        // as above
      if (exclusive == 0 && shared == 0) continue;
      const uint32_t of = ledger::ClassCountedFor(entry);
      const ledger::PackedRef life = entry.lock.load(std::memory_order_relaxed);  // as above
      const uint32_t index = ledger::IndexOf(life);
      if (of > classes || index >= locks) continue;
      if (!ledger::TakingCounts(lock_records[index], life)) continue;
      (*counts)[of].exclusive += exclusive;
      (*counts)[of].shared += shared;
    }
  }
}

}  // namespace lockwarden
