// The bookkeeping of semaphore units; off the mutex path.
#include "runtime/semaphore_units.h"

namespace lockwarden::ledger {
namespace {

bool IsStale(const HeldEntry& entry) {
  const PackedRef ref = entry.lock.load(std::memory_order_relaxed);  // own record
  if (ref == 0 || ModeOf(ref) != Mode::kUnit) return false;
  // Acquire: pairs with L1.
  const uint32_t generation =
      this_thread.locks[IndexOf(ref)].generation.load(std::memory_order_acquire);
  return LifeIn(generation) != GenerationOf(ref) || IsHandedOver(ref);
}

// Read before it is written: every post comes by here, and one is evidence enough.
void NoteOnce(std::atomic<uint32_t>& evidence) {
  // Relaxed, both: evidence, not synchronisation.
  if (evidence.load(std::memory_order_relaxed) == 0) {
    evidence.store(1, std::memory_order_relaxed);  // as above
  }
}

}  // namespace

bool HasStaleUnits(const ThreadRecord* record, uint32_t frame) {
  const HeldEntry* held = &record->held[kHeldBegin[frame]];
  // Relaxed: own record.
  const uint32_t count = record->FrameAt(frame).held_count.load(std::memory_order_relaxed);
  for (uint32_t i = 0; i < count; ++i) {
    if (IsStale(held[i])) return true;
  }
  return false;
}

bool HoldsUnits(const Place& place, PackedRef semaphore) {
  if (semaphore == 0) return false;
  const HeldEntry* held = &place.record->held[kHeldBegin[place.frame_index]];
  // Relaxed: own record.
  const std::atomic<uint32_t>& count = place.record->FrameAt(place.frame_index).held_count;
  for (uint32_t i = count.load(std::memory_order_relaxed); i-- > 0;) {
    if (IsStale(held[i])) RemoveHeld(place.record, place.frame_index, i);  // all units at once
  }
  return !IsHandedOver(semaphore);
}

void ReleaseUnit(const Place& place, const void* semaphore, DescribeLock describe, uint64_t site) {
  const LockUse use = IdentifyLock(place.record, semaphore, describe, site, place.cfa);
  if (use.ref == 0) return;
  LockRecord& lock = this_thread.locks[IndexOf(use.ref)];
  const HeldEntry* held = FindHeld(place.record, IndexOf(use.ref));
  // Relaxed: own record's entry. A unit held in an earlier life of this address is not one of
  // this life.
  const bool own = held != nullptr && GenerationOf(held->lock.load(std::memory_order_relaxed)) ==
                                          GenerationOf(use.ref);
  if (own) {
    PopHeld(place.record, place.frame_index, IndexOf(use.ref));
    NoteOnce(lock.own_releases);
  } else {
    NoteOnce(lock.foreign_releases);
  }
}

}  // namespace lockwarden::ledger
