// SharedLock in the recorder's table: in three modes, and from one to another.
//
// Called by: the linked types, through RecorderApi. Written by: the owning thread, into its own
// record. Must never: do what a hook may not do.
#pragma once

#include "runtime/cycle.h"
#include "runtime/recorder_api.h"
#include "runtime/shared_word.h"

namespace lockwarden::ledger {

LockAnswer AcquireSharedLock(void* lock, uint32_t how, uint64_t site, uint64_t cfa,
                             const char* name, const TimeLimit* limit);
LockAnswer ReleaseSharedLock(void* lock, uint32_t how, uint64_t cfa);
LockAnswer ConvertSharedLock(void* lock, uint32_t how, uint64_t site, uint64_t cfa,
                             const TimeLimit* limit, Cycle* cycle);

// The conversion alone; `exclusive`: it is held so, else upgradeable. kBusy: the time is up, or a
// try found readers.
inline LockAnswer ConvertUnrecorded(void* lock, bool exclusive, uint32_t how,
                                    const TimeLimit* limit) {
  SharedWord* const word = OwnSharedWord::At(lock);
  switch (ModeOfHow(how)) {
    case Mode::kExclusive: {
      if (exclusive) return LockAnswer::kOwned;
      const bool raised = (BitsOfHow(how) & kTry) != 0 ? TryUpgradeToExclusive(word)
                                                       : UpgradeToExclusive(word, limit);
      return raised ? LockAnswer::kDone : LockAnswer::kBusy;
    }
    case Mode::kUpgrade:
      if (!exclusive) return LockAnswer::kOwned;
      ExclusiveToUpgrade(word);
      return LockAnswer::kDone;
    default: exclusive ? ExclusiveToShared(word) : UpgradeToShared(word); return LockAnswer::kDone;
  }
}

}  // namespace lockwarden::ledger
