// Class tallies: what locks cost, added up by lock class, without a store into the lock's own
// record or into any other word that threads share.
//
//   an acquisition        the thread's cache entry of that lock (lock_identity.h, CountFor)
//   the entry moves on,   the thread's tally of the class
//   a contention, a wait
//   the tally moves on,   the class's record: ClassTotals
//   the thread has ended
//
// A reader adds up all three (watchdog/lock_counts.h). Moving takes two stores, so that it may see
// a count twice or not at all for a moment, and a signal handler that comes between may lose one.
//
// The lock's record itself learns only how often it was taken by threads that ended or forgot it,
// which is evidence for a verdict, and that no further than kManyTaken: an event server takes
// thousands of locks, and the record of each would go to and fro between the processors.
//
// Written by: the owning thread; by whoever frees the record of a thread that is gone. Read by:
// readers. Must never: decide anything.
#pragma once

#include <cstdint>

#include "runtime/ledger.h"

namespace lockwarden::ledger {

enum class WhyMoved { kForgotten, kThreadEnded };

// Before the entry is used for another lock, or freed: its counts go to the tally.
void MoveCounts(const Ledger& ledger, ThreadRecord* record, LockCacheEntry& entry, WhyMoved why);
// For LockCacheEntry::lock_class.
uint32_t ClassForCounts(const LockRecord& lock, LockKind kind);
inline uint32_t ClassCountedFor(const LockCacheEntry& entry) {
  // Relaxed: a statistic.
  return entry.lock_class.load(std::memory_order_relaxed) & ~kSettled;
}
// The lock is of this class from now on.
void CountForClass(const Ledger& ledger, ThreadRecord* record, LockCacheEntry& entry,
                   uint32_t lock_class);

// The thread's tally of a class, for its owner to add to.
ClassTally& TallyOf(const Ledger& ledger, ThreadRecord* record, uint32_t lock_class);
// Adds it to the class's record.
void EmptyTally(const Ledger& ledger, ClassTally& tally);

// Whether to find it taken, or to wait for it, is to wait for a lock. A semaphore that was created
// with one unit is taken for one until somebody else posts it.
bool WaitsCount(const LockRecord& lock);
// Whether taking it was taking a lock. Of a life that has ended nothing else can be known.
inline bool TakingCounts(const LockRecord& lock, PackedRef life) {
  // Relaxed, all: evidence.
  const uint32_t kind_and_flags = lock.kind_and_flags.load(std::memory_order_relaxed);
  if (KindOf(kind_and_flags) != LockKind::kSemaphore ||
      LifeIn(lock.generation.load(std::memory_order_relaxed)) != GenerationOf(life)) {  // as above
    return true;
  }
  return IsLockForMetrics(LockKind::kSemaphore,
                          lock.own_releases.load(std::memory_order_relaxed),       // as above
                          lock.foreign_releases.load(std::memory_order_relaxed));  // as above
}

}  // namespace lockwarden::ledger
