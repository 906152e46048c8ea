// The bookkeeping of semaphore units; off the mutex path.
#include "runtime/semaphore_units.h"

namespace lockwarden::ledger {
namespace {

bool Stale(const LockRecord* locks, PackedRef ref) {
  if (ModeOf(ref) != Mode::kUnit) return false;
  const LockRecord& lock = locks[IndexOf(ref)];
  // Acquire: pairs with L1. Relaxed: a post that is not seen yet is seen the next time.
  return LifeIn(lock.generation.load(std::memory_order_acquire)) != GenerationOf(ref) ||
         lock.foreign_releases.load(std::memory_order_relaxed) != 0;
}

void ForgetStaleUnits(ThreadRecord* record, uint32_t frame) {
  const LockRecord* locks = TheLedger().Table<LockRecord>(kLocks);
  const HeldEntry* held = &record->held[kHeldBegin[frame]];
  // Relaxed, all: own record.
  for (uint32_t i = record->FrameAt(frame).held_count.load(std::memory_order_relaxed); i-- > 0;) {
    const PackedRef ref = held[i].lock.load(std::memory_order_relaxed);  // own record
    if (ref == 0 || !Stale(locks, ref)) continue;
    RemoveHeld(record, frame, i);  // all units at once
  }
}

}  // namespace

bool HoldsUnits(const Place& place, PackedRef semaphore) {
  if (semaphore == 0) return false;
  ForgetStaleUnits(place.record, place.frame_index);
  // Relaxed: as in Stale.
  return TheLedger().Table<LockRecord>(kLocks)[IndexOf(semaphore)].foreign_releases.load(
             std::memory_order_relaxed) == 0;
}

void ReleaseUnit(const Place& place, const void* semaphore, DescribeLock describe, uint64_t site) {
  const LockUse use = IdentifyLock(place.record, semaphore, describe, site, place.cfa);
  if (use.ref == 0) return;
  LockRecord& lock = TheLedger().Table<LockRecord>(kLocks)[IndexOf(use.ref)];
  const HeldEntry* held = FindHeld(place.record, IndexOf(use.ref));
  // Relaxed: own record's entry; the sums are evidence, not synchronisation. A unit held
  // in an earlier life of this address is not one of this life.
  const bool own = held != nullptr && GenerationOf(held->lock.load(std::memory_order_relaxed)) ==
                                          GenerationOf(use.ref);
  if (own) {
    PopHeld(place.record, place.frame_index, IndexOf(use.ref));
    lock.own_releases.fetch_add(1, std::memory_order_relaxed);  // as above
  } else {
    lock.foreign_releases.fetch_add(1, std::memory_order_relaxed);  // as above
  }
}

}  // namespace lockwarden::ledger
