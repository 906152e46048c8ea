// Waits of the library's own types for what nobody holds: a signal, an event, the others at a
// barrier. Published like the hooks' plain waits; the sleep is on a word of the type's own.
//
// Called by: the linked types, through RecorderApi. Written by: the owning thread, into its own
// record. Must never: do what a hook may not do, or touch the object after the sleep.
#pragma once

#include "runtime/recorder_api.h"

namespace lockwarden::ledger {

LockAnswer WaitOwn(const WaitRequest* request);

}  // namespace lockwarden::ledger
