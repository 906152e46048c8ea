// Waits of the library's own types for what nobody holds: a signal, an event, the others at a
// barrier. Published like the hooks' plain waits; the sleep is on a word of the type's own.
//
// And who ends them.
//
// Called by: the linked types, through RecorderApi. Written by: the owning thread, into its own
// record. Must never: do what a hook may not do, or touch the object after the sleep.
#pragma once

#include "runtime/recorder_api.h"

namespace lockwarden::ledger {

LockAnswer WaitOwn(const WaitRequest* request);
// See RecorderApi::note_help.
bool NoteHelpOwn(const void* object, LockKind kind, const char* name, bool heard, uint64_t site,
                 uint64_t cfa);

}  // namespace lockwarden::ledger
