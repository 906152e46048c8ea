// An acquire without a time limit that would rather fail than close a deadlock: see cycle.h.
//
// Called by: the linked types, through RecorderApi. Written by: the owning thread, into its own
// record. Must never: do what a hook may not do.
#pragma once

#include "runtime/cycle.h"
#include "runtime/recorder_api.h"

namespace lockwarden::ledger {

// kDeadlock: nothing was acquired and nothing is published; *cycle says why not.
LockAnswer AcquireOrBreak(void* lock, uint32_t how, uint64_t site, uint64_t cfa, const char* name,
                          Cycle* cycle);

}  // namespace lockwarden::ledger
