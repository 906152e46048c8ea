// Relaxed throughout: statistics and evidence, in the thread's own record or added atomically.
#include "runtime/class_tally.h"

namespace lockwarden::ledger {
namespace {

template <class T>
void AddOwn(std::atomic<T>& own, T more) {
  // Relaxed, both: own record.
  own.store(own.load(std::memory_order_relaxed) + more, std::memory_order_relaxed);
}

template <class T>
void Move(std::atomic<T>& from, std::atomic<T>& to) {
  const T value = from.load(std::memory_order_relaxed);  // own record
  if (value == 0) return;
  to.fetch_add(value, std::memory_order_relaxed);  // a statistic
  from.store(0, std::memory_order_relaxed);        // own record
}

void NoteTaken(LockRecord& lock, uint64_t count, WhyMoved why) {
  // Relaxed, all: evidence; "at least".
  if (KindOf(lock.kind_and_flags.load(std::memory_order_relaxed)) == LockKind::kCondition) return;
  const uint64_t taken = lock.acquisitions.load(std::memory_order_relaxed);  // as above
  if (taken >= kUncounted) return;
  if (why == WhyMoved::kForgotten && taken >= kManyTaken) {
    lock.acquisitions.fetch_or(kUncounted, std::memory_order_relaxed);  // as above
  } else {
    lock.acquisitions.fetch_add(count, std::memory_order_relaxed);  // as above
  }
}

}  // namespace

void MoveCounts(const Ledger& ledger, ThreadRecord* record, LockCacheEntry& entry, WhyMoved why) {
  // Relaxed, all: own cache entry, or that of a thread that is gone.
  const uint64_t exclusive = entry.exclusive.load(std::memory_order_relaxed);
  const uint32_t shared = entry.shared.load(std::memory_order_relaxed);  // as above
  if (exclusive == 0 && shared == 0) return;
  bool counts = true;
  if ((entry.lock_class.load(std::memory_order_relaxed) & kSettled) == 0) {  // as above
    const PackedRef life = entry.lock.load(std::memory_order_relaxed);       // as above
    LockRecord& lock = ledger.Table<LockRecord>(kLocks)[IndexOf(life)];
    NoteTaken(lock, exclusive + shared, why);
    counts = TakingCounts(lock, life);
  }
  if (counts) {
    ClassTally& tally = TallyOf(ledger, record, ClassCountedFor(entry));
    AddOwn(tally.exclusive, exclusive);
    AddOwn(tally.shared, shared);
  }
  entry.exclusive.store(0, std::memory_order_relaxed);  // as above
  entry.shared.store(0, std::memory_order_relaxed);     // as above
}

uint32_t ClassForCounts(const LockRecord& lock, LockKind kind) {
  // Relaxed, both: evidence, and the class of a life that begins just now may be the last one's.
  const bool settled = kind != LockKind::kSemaphore && kind != LockKind::kCondition &&
                       lock.acquisitions.load(std::memory_order_relaxed) >= kUncounted;
  return lock.lock_class.load(std::memory_order_relaxed) | (settled ? kSettled : 0);  // as above
}

void CountForClass(const Ledger& ledger, ThreadRecord* record, LockCacheEntry& entry,
                   uint32_t lock_class) {
  if (ClassCountedFor(entry) == lock_class) return;
  MoveCounts(ledger, record, entry, WhyMoved::kForgotten);
  // Relaxed, both: own cache entry.
  const uint32_t settled = entry.lock_class.load(std::memory_order_relaxed) & kSettled;
  entry.lock_class.store(lock_class | settled, std::memory_order_relaxed);  // as above
}

ClassTally& TallyOf(const Ledger& ledger, ThreadRecord* record, uint32_t lock_class) {
  ClassTally& tally = record->class_tallies[lock_class % kClassTallies];
  // Relaxed, both: own record.
  if (tally.lock_class.load(std::memory_order_relaxed) != lock_class) {
    EmptyTally(ledger, tally);
    tally.lock_class.store(lock_class, std::memory_order_relaxed);  // own record
  }
  return tally;
}

void EmptyTally(const Ledger& ledger, ClassTally& tally) {
  const uint32_t lock_class = tally.lock_class.load(std::memory_order_relaxed);  // own record
  ClassTotals& totals = lock_class == 0
                            ? ledger.header().without_class
                            : ledger.Table<LockClassRecord>(kClasses)[lock_class - 1].totals;
  Move(tally.exclusive, totals.exclusive);
  Move(tally.shared, totals.shared);
  Move(tally.contentions, totals.contentions);
  Move(tally.wait_ns, totals.wait_ns);
}

bool WaitsCount(const LockRecord& lock) {
  // Relaxed, all: evidence.
  const uint32_t kind_and_flags = lock.kind_and_flags.load(std::memory_order_relaxed);
  const uint32_t own = lock.own_releases.load(std::memory_order_relaxed);  // as above
  return IsLockForMetrics(KindOf(kind_and_flags), own | (kind_and_flags & kOneUnit),
                          lock.foreign_releases.load(std::memory_order_relaxed));  // as above
}

}  // namespace lockwarden::ledger
