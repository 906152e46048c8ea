// The slow half: a lock is taken at a place that its record does not name.
//
//   M1 ready = 1   release   pairs with M2: the record is whole
//   M2 ready       acquire
#include "runtime/handler_use.h"

#include "runtime/this_clock.h"

namespace lockwarden::ledger {
namespace {

constexpr uint32_t kLookedBackAt = 256;  // records; a repeat further back gets its own

struct Use {
  PackedRef lock;
  uint64_t site;
  uint32_t stack;
};

// The record of the same lock, taken in the same way.
MisuseRecord* FindRecent(const Ledger& ledger, const Use& use) {
  const TableDirectoryEntry& table = ledger.header().tables[kMisuse];
  MisuseRecord* records = ledger.Table<MisuseRecord>(kMisuse);
  // Relaxed: a repeat that is missed gets a record of its own.
  uint32_t used = table.used.load(std::memory_order_relaxed);
  if (used > table.capacity) used = table.capacity;
  for (uint32_t look = 0; look < kLookedBackAt && look < used; ++look) {
    MisuseRecord& record = records[used - 1 - look];
    if (record.ready.load(std::memory_order_acquire) == 0) continue;  // M2
    // Relaxed, all: whole since M1.
    if (record.kind.load(std::memory_order_relaxed) ==
            static_cast<uint32_t>(MisuseKind::kTakenInHandler) &&
        record.lock.load(std::memory_order_relaxed) == use.lock &&    // as above
        record.site.load(std::memory_order_relaxed) == use.site &&    // as above
        record.stack.load(std::memory_order_relaxed) == use.stack) {  // as above
      return &record;
    }
  }
  return nullptr;
}

void RecordTakenInHandler(const Ledger& ledger, const ThreadRecord& thread, const Use& use) {
  if (MisuseRecord* known = FindRecent(ledger, use)) {
    known->count.fetch_add(1, std::memory_order_relaxed);  // a statistic
    return;
  }
  const uint32_t index = ledger.Allocate(kMisuse);  // a full table is counted there
  if (index == kNoIndex) return;
  MisuseRecord& record = ledger.Table<MisuseRecord>(kMisuse)[index];
  // Relaxed, all: published by M1.
  record.kind.store(static_cast<uint32_t>(MisuseKind::kTakenInHandler), std::memory_order_relaxed);
  record.thread_serial.store(thread.serial.load(std::memory_order_relaxed),
                             std::memory_order_relaxed);          // own record
  record.stack.store(use.stack, std::memory_order_relaxed);       // M1
  record.count.store(1, std::memory_order_relaxed);               // M1
  record.lock.store(use.lock, std::memory_order_relaxed);         // M1
  record.site.store(use.site, std::memory_order_relaxed);         // M1
  record.time_ns.store(MonotonicNs(), std::memory_order_relaxed);  // M1
  record.ready.store(1, std::memory_order_release);               // M1
}

}  // namespace

void NoteUseSlow(ThreadRecord* record, PackedRef lock, uint64_t site, uint32_t stack) {
  const Ledger ledger = TheLedger();
  const uint64_t head = ledger.Table<uint64_t>(kStacks)[stack];
  if ((head & kStackInHandler) != 0) {
    // What gives up by itself cannot wait for ever for the code that it interrupted.
    if ((ModeBitsOf(lock) & (kTry | kTimed)) != 0) return;
    return RecordTakenInHandler(ledger, *record, {lock, site, stack});
  }
  LockRecord& use = this_thread.locks[IndexOf(lock)];
  // One place is enough, but a place that takes it alone says more than one that shares it.
  const bool shared = ModeOf(lock) == Mode::kShared;
  const uint32_t known = use.plain_stack.load(std::memory_order_relaxed);  // of several, any will do
  if (known != 0 && (shared || (known & kPlainShared) == 0)) return;
  // Relaxed: names an interned stack, which a reader checks as it does every stack.
  use.plain_stack.store(shared ? stack | kPlainShared : stack, std::memory_order_relaxed);
}

}  // namespace lockwarden::ledger
