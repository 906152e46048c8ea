// Helpers: threads that end waits for what nobody holds. Whoever puts something into a queue or
// takes something out, comes to a barrier, or sets an event, has the object on a list in its own
// record from then on; a wait for the object is, by all that was seen, a wait for one of them.
//
//   R1 helper count of the object  fetch_add relaxed, before R2
//   R2 the thread's list           store release   pairs with the reader's acquire
//
// A reader that finds fewer threads with the object on their lists than were counted knows that
// somebody helps whom it cannot name: a thread that has ended, or one whose list was full.
//
// Written by: the helping thread, once for each object. Read by: readers, as evidence: another
// thread may help for the first time. Must never: decide a verdict alone.
#pragma once

#include <cstdint>

#include "runtime/lock_record.h"

namespace lockwarden::ledger {

struct Place;
struct ThreadRecord;
using DescribeLock = uint32_t (*)(const void* lock);  // as in lock_identity.h

// In HelperCount: more threads than are listed, for good.
inline constexpr uint32_t kUnlistedHelpers = 1u << 31;

// The thread helps at the object of this reference.
void NoteHelper(ThreadRecord* record, PackedRef object);
// The same, of an object that need not be known yet. False: it cannot be.
bool NoteHelp(const Place& place, const void* object, DescribeLock describe, const char* name,
              uint64_t site);

}  // namespace lockwarden::ledger
