// Units of semaphores in held lists: who is taken to hold one, and the evidence that tells
// a semaphore used as a lock from one that threads hand over.
//
// Written by: the waiting and the posting thread. Read by: the reader, which calls
// holders of units inferred. Must never: let a hand-over fill the held list.
#pragma once

#include "runtime/recorder.h"

namespace lockwarden::ledger {

// Whether a unit just taken belongs in the held list. Also forgets units of semaphores
// that were destroyed or handed over since, which nobody will release.
bool HoldsUnits(const Place& place, PackedRef semaphore);
// Whether there are such units in the frame's list.
bool HasStaleUnits(const ThreadRecord* record, uint32_t frame);

// A thread that held no unit has posted: units of this semaphore are not held by anybody.
LOCKWARDEN_INLINE bool IsHandedOver(PackedRef semaphore) {
  // Relaxed: a post that is not seen yet is seen the next time.
  return this_thread.locks[IndexOf(semaphore)].foreign_releases.load(std::memory_order_relaxed) !=
         0;
}

// About to post: the thread's own unit is released, or a hand-over is noted.
void ReleaseUnit(const Place& place, const void* semaphore, DescribeLock describe, uint64_t site);

// The same without a frame, as ReleaseTop: if the newest hold is one unit of this semaphore's
// present life, which was seen before to be used so.
LOCKWARDEN_INLINE bool ReleaseTopUnit(const void* semaphore) {
  const ThreadRecord* const record = this_thread.record;
  // Relaxed, all but the generation: own record, and evidence that stays.
  const uint32_t count = record->frame0.held_count.load(std::memory_order_relaxed);
  if (count == 0) return false;
  const PackedRef top = record->held[count - 1].lock.load(std::memory_order_relaxed);  // as above
  const LockRecord& lock = this_thread.locks[IndexOf(top)];
  // Acquire: pairs with L1 of lock_identity.cc.
  return lock.generation.load(std::memory_order_acquire) == GenerationOf(top) &&
         lock.own_releases.load(std::memory_order_relaxed) != 0 &&  // as above
         ReleaseTop<Mode::kUnit>(semaphore);
}

}  // namespace lockwarden::ledger
