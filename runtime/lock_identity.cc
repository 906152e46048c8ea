// Lives of locks: found, begun and ended.
//
//   L0 generation |= kLifeChanging   CAS, acquire   one thread wins the right to end a life or
//                                                   to begin the next
//   L1 generation += 1, without it   release        pairs with L0, L2 and the fast path's
//                                                   acquire: whoever sees the new generation
//                                                   sees the new life's description
//   L2 generation                    acquire
//
// When the lock table is full, further locks fold into one record for each kind and set of
// flags (kFolded), for which room is kept. It tells a reader that such a lock is waited for,
// and where; who holds it only the lock's own word says, as with a lock that is handed over.
//
// Between L0 and L1 the record is described, so a reader that checks the generation before
// and after knows whether both belong together. Threads of the program do not wait for L1:
// they name the coming life by the generation that it will have (LifeIn).
#include "runtime/lock_identity.h"

#include <algorithm>

#include "runtime/class_tally.h"
#include "runtime/condition_signals.h"
#include "runtime/handler_use.h"
#include "runtime/lock_class.h"
#include "runtime/lock_order.h"
#include "runtime/modules.h"
#include "runtime/stack_capture.h"

namespace lockwarden::ledger {
namespace {

uint64_t HashOf(uint64_t address) { return MixHash(address); }

uint32_t FindRecord(const Ledger& ledger, uint64_t address) {
  const LockRecord* locks = ledger.Table<LockRecord>(kLocks);
  return ledger.Index(kLockIndex).Find(HashOf(address), [&](uint32_t index) {
    // Relaxed: written before the slot that led here was published (I1/I2).
    return locks[index].address.load(std::memory_order_relaxed) == address;
  });
}

// No object of the program lies there; the kind and flags are in the low half.
constexpr uint64_t kFoldedBase = 0xf01d'0000'0000'0000ull;
constexpr uint32_t kRoomForFolded = 64;  // of a small table a sixteenth

bool IsFolded(uint64_t address) { return address >> 48 == kFoldedBase >> 48; }

// The table is full, but for the room that is kept.
bool IsFull(const Ledger& ledger) {
  const TableDirectoryEntry& locks = ledger.header().tables[kLocks];
  // Relaxed: a bound that a few threads may overstep together.
  const uint32_t room = std::min(kRoomForFolded, locks.capacity / 16);
  return locks.used.load(std::memory_order_relaxed) + room >= locks.capacity;  // as above
}

uint32_t FindOrAddRecord(const Ledger& ledger, uint64_t address) {
  const uint32_t found = FindRecord(ledger, address);
  if (found != GrowingIndex::kNotFound) return found;
  if (!IsFolded(address) && IsFull(ledger)) {
    // Relaxed: a statistic.
    ledger.header().tables[kLocks].dropped.fetch_add(1, std::memory_order_relaxed);
    return kNoIndex;
  }
  const uint32_t fresh = ledger.Allocate(kLocks);
  if (fresh == kNoIndex) return kNoIndex;
  const uint64_t behind = address + 1;  // as of a return address: static storage is a module's
  NoteModulesOf(ledger, &behind, 1);
  LockRecord* locks = ledger.Table<LockRecord>(kLocks);
  // Relaxed: published by the index slot (I1). A fresh record is "destroyed": its first
  // use begins its first life.
  locks[fresh].address.store(address, std::memory_order_relaxed);
  locks[fresh].kind_and_flags.store(kRecordDestroyed, std::memory_order_relaxed);  // as above
  const uint32_t index =
      ledger.Index(kLockIndex).Insert(HashOf(address), fresh, [&](uint32_t other) {
        // Relaxed: as in FindRecord.
        return locks[other].address.load(std::memory_order_relaxed) == address;
      });
  if (index == GrowingIndex::kFull) {
    // Relaxed: a statistic.
    ledger.header().tables[kLockIndex].dropped.fetch_add(1, std::memory_order_relaxed);
    return kNoIndex;
  }
  return index;
}

// L0. False: another thread is at it, or the life is not the one that was seen.
bool BeginChange(LockRecord& lock, uint32_t seen) {
  return (seen & kLifeChanging) == 0 &&
         lock.generation.compare_exchange_strong(seen, seen | kLifeChanging,
                                                 std::memory_order_acquire,  // L0
                                                 std::memory_order_relaxed);  // value unused
}

void EndChange(LockRecord& lock) {
  // Relaxed read: only the thread that won L0 moves it.
  lock.generation.store(LifeIn(lock.generation.load(std::memory_order_relaxed)),
                        std::memory_order_release);  // L1
}

// Between L0 and L1.
void Describe(const Ledger& ledger, ThreadRecord* thread, LockRecord& lock,
              uint32_t kind_and_flags, uint64_t site, uint64_t cfa) {
  // Relaxed, all: made visible by L1. First what others add to: they do not wait for L1, and what
  // they have seen of the life must not be lost while this thread walks a stack.
  const uint32_t former = lock.kind_and_flags.load(std::memory_order_relaxed);  // as above
  if (KindOf(former) == LockKind::kCondition || KindOf(kind_and_flags) == LockKind::kCondition) {
    ForgetSignals(lock);
  }
  lock.own_releases.store(0, std::memory_order_relaxed);      // as above
  lock.foreign_releases.store(0, std::memory_order_relaxed);  // as above
  lock.name.store(0, std::memory_order_relaxed);  // as above, and so are all of these
  lock.kind_and_flags.store(kind_and_flags, std::memory_order_relaxed);
  lock.serial.store(ledger.header().next_lock_serial.fetch_add(1, std::memory_order_relaxed),
                    std::memory_order_relaxed);
  const uint32_t stack = CaptureIfWanted(thread, site, cfa);
  lock.init_stack.store(stack, std::memory_order_relaxed);  // made visible by L1, and so below
  lock.lock_class.store(ClassOf(ledger, site, stack, KindOf(kind_and_flags)),
                        std::memory_order_relaxed);
}

// Puts the present life of the lock into the thread's cache.
LockUse Remember(const Ledger& ledger, ThreadRecord* record, uint32_t index,
                 uint32_t kind_and_flags, uint64_t address) {
  const LockRecord& lock_record = ledger.Table<LockRecord>(kLocks)[index];
  LockCacheEntry& entry = LockCachePlace(record, address);
  MoveCounts(ledger, record, entry, WhyMoved::kForgotten);
  const uint32_t generation = lock_record.generation.load(std::memory_order_acquire);  // L2
  const uint32_t lock_class = ClassForCounts(lock_record, KindOf(kind_and_flags));
  const PackedRef ref = Pack(index, LifeIn(generation), 0);
  // A signal handler may use the entry for another lock between any two of these stores:
  // then they are made again, since an address beside another lock's name would last.
  do {
    entry.lock.store(ref, std::memory_order_relaxed);
    entry.lock_class.store(lock_class, std::memory_order_relaxed);  // own cache entry
    std::atomic_signal_fence(std::memory_order_seq_cst);
    entry.address.store(address, std::memory_order_relaxed);  // own cache entry
    std::atomic_signal_fence(std::memory_order_seq_cst);
  } while (entry.lock.load(std::memory_order_relaxed) != ref);  // own cache entry
  return {ref, kind_and_flags, &entry};
}

// The record that stands for all locks of this kind. It is remembered by an address that no
// lock has, so that none is taken for another: each is looked for again at each acquisition.
LockUse IdentifyFolded(ThreadRecord* record, uint32_t described, uint64_t site, uint64_t cfa) {
  const Ledger ledger = TheLedger();
  const uint64_t address = kFoldedBase | described;
  const uint32_t index = FindOrAddRecord(ledger, address);
  if (index == kNoIndex) return {};
  LockRecord& folded = ledger.Table<LockRecord>(kLocks)[index];
  const uint32_t seen = folded.generation.load(std::memory_order_acquire);     // L2
  const uint32_t now = folded.kind_and_flags.load(std::memory_order_relaxed);  // by L1
  if ((now & kRecordDestroyed) != 0 && BeginChange(folded, seen)) {
    Describe(ledger, record, folded, described | kFolded, site, cfa);
    // As if one had been handed over: who holds "it" proves nothing. Relaxed: by L1.
    folded.foreign_releases.store(1, std::memory_order_relaxed);
    EndChange(folded);
  }
  return Remember(ledger, record, index, described | kFolded, address);
}

}  // namespace

LockUse IdentifyLockSlow(ThreadRecord* record, const void* lock, DescribeLock describe,
                         uint64_t site, uint64_t cfa) {
  const Ledger ledger = TheLedger();
  const uint64_t address = reinterpret_cast<uint64_t>(lock);
  const uint32_t described = describe(lock);
  const uint32_t index = FindOrAddRecord(ledger, address);
  if (index == kNoIndex) return IdentifyFolded(record, described, site, cfa);
  LockRecord& lock_record = ledger.Table<LockRecord>(kLocks)[index];
  // In this order: if L0 then succeeds, no life has begun or ended since.
  const uint32_t seen = lock_record.generation.load(std::memory_order_acquire);           // L2
  const uint32_t now = lock_record.kind_and_flags.load(std::memory_order_relaxed);  // by L1
  // Memory reused for another kind of object without a destroy is a new life too.
  const bool ended = (now & kRecordDestroyed) != 0 || KindOf(now) != KindOf(described);
  if (ended && BeginChange(lock_record, seen)) {
    Describe(ledger, record, lock_record, described, site, cfa);
    EndChange(lock_record);
  }
  return Remember(ledger, record, index, described, address);
}

LockUse RelearnLock(ThreadRecord* record, const void* lock, DescribeLock describe) {
  const Ledger ledger = TheLedger();
  const uint64_t address = reinterpret_cast<uint64_t>(lock);
  const uint32_t index = FindRecord(ledger, address);
  if (index == GrowingIndex::kNotFound) return {};
  const LockRecord& lock_record = ledger.Table<LockRecord>(kLocks)[index];
  const uint32_t generation = lock_record.generation.load(std::memory_order_acquire);  // L2
  if ((generation & kLifeChanging) != 0) return {};
  const uint32_t now = lock_record.kind_and_flags.load(std::memory_order_relaxed);  // by L1
  if ((now & kRecordDestroyed) != 0 || KindOf(now) != KindOf(describe(lock))) return {};
  // Relaxed: a hint. Nobody has taken it yet, so that its record does not say by what code;
  // see handler_use.h.
  if (TellsUses(KindOf(now)) && TheSettings().stacks == StackMode::kFull &&
      (lock_record.plain_stack.load(std::memory_order_relaxed) & kPlainStack) == 0) {
    return {};
  }
  if (IsFirstUse(record, Pack(index, LifeIn(generation), 0))) return {};  // it is to be noted
  return Remember(ledger, record, index, now, address);
}

void BeginLockLife(ThreadRecord* record, const void* lock, uint32_t kind_and_flags, uint64_t site,
                   uint64_t cfa) {
  const Ledger ledger = TheLedger();
  const uint32_t index = FindOrAddRecord(ledger, reinterpret_cast<uint64_t>(lock));
  if (index == kNoIndex) return;
  LockRecord& lock_record = ledger.Table<LockRecord>(kLocks)[index];
  // Who used or destroyed the lock while it is initialised has its way: then this init goes
  // unnoted, and the next use begins the life.
  if (!BeginChange(lock_record, lock_record.generation.load(std::memory_order_acquire))) return;  // L2
  Describe(ledger, record, lock_record, kind_and_flags | kInitSeen, site, cfa);
  EndChange(lock_record);
}

void EndLockLife(PackedRef life) {
  LockRecord& lock = TheLedger().Table<LockRecord>(kLocks)[IndexOf(life)];
  // When the next life has begun there is nothing to end.
  if (!BeginChange(lock, GenerationOf(life))) return;
  lock.kind_and_flags.fetch_or(kRecordDestroyed, std::memory_order_relaxed);  // by L1
  EndChange(lock);
}

PackedRef FindLock(const void* lock) {
  const Ledger ledger = TheLedger();
  const uint32_t index = FindRecord(ledger, reinterpret_cast<uint64_t>(lock));
  if (index == GrowingIndex::kNotFound) return 0;
  const LockRecord& lock_record = ledger.Table<LockRecord>(kLocks)[index];
  const uint32_t generation = lock_record.generation.load(std::memory_order_acquire);  // L2
  // Relaxed: by L1; a destroyed life is not present any more, one that begins already is.
  if ((generation & kLifeChanging) == 0 &&
      (lock_record.kind_and_flags.load(std::memory_order_relaxed) & kRecordDestroyed) != 0) {
    return 0;
  }
  return Pack(index, LifeIn(generation), static_cast<uint8_t>(Mode::kExclusive));
}

}  // namespace lockwarden::ledger
