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

// About to post: the thread's own unit is released, or a hand-over is noted.
void ReleaseUnit(const Place& place, const void* semaphore, DescribeLock describe, uint64_t site);

}  // namespace lockwarden::ledger
