// Semaphore in the recorder's table. Who acquired a unit is taken to hold it; semaphore_units.h
// says until when.
//
// Called by: the linked types, through RecorderApi. Written by: the owning thread, into its own
// record. Must never: do what a hook may not do.
#pragma once

#include "runtime/recorder_api.h"

namespace lockwarden::ledger {

LockAnswer AcquireUnit(void* semaphore, uint32_t how, uint64_t site, uint64_t cfa,
                       const char* name, const TimeLimit* limit);
// Before units are given: those that the thread holds are not held any more.
void NoteUnits(const void* semaphore, uint32_t units, uint64_t site, uint64_t cfa);

}  // namespace lockwarden::ledger
