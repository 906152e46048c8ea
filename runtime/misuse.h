// Misuse: locks used against their rules, noted in the very call that does it.
//
// Nothing here is on the way of a thread that keeps the rules: a release comes here when the
// thread was not seen to take the lock, a destruction when the lock's own word says that it
// is taken, a condition wait (which sleeps anyhow) when the mutex is another one than last.
//
// Written by: the thread that does it, into the misuse table. Read by: the reader, which
// grades it. Must never: blame a thread for a lock that nobody is known to hold: it may have
// been taken before we were loaded, in the parent, or by another process.
#pragma once

#include "runtime/recorder.h"

namespace lockwarden::ledger {

// What the lock's own word says of who holds it. Mutexes and writers are named, readers are
// only counted; all 0: nobody, or it cannot say.
struct WordSays {
  uint32_t owner = 0;  // tid
  uint32_t readers = 0;
  bool taken() const { return owner != 0 || readers != 0; }
};

// A thread is about to release what it was not seen to take: from now on holds of this lock
// prove nothing. Call it before libc's function, which may let somebody destroy the lock.
void NoteForeignRelease(const Place& place, const void* lock, WordSays says, uint64_t site);
// libc refused such a release; `life` as it was found before the call. Nothing changed hands.
void NoteRefusedRelease(const Place& place, PackedRef life, WordSays says, uint64_t site);
// About to destroy a lock whose word says that it is taken.
void NoteTakenDestroy(const Place& place, PackedRef life, WordSays says, uint64_t site);
// About to sleep on a condition, the wait published; `mutex` as it was popped, or 0.
void NoteConditionMutex(const Place& place, PackedRef condition, PackedRef mutex, uint64_t site);
// A thread asks for a lock that it holds and that is not recursive, and is refused.
void NoteRelock(const Place& place, PackedRef life, uint64_t site);
// More units are released than the semaphore may have, which is refused.
void NoteOverrun(const Place& place, PackedRef life, uint64_t site);

// Where a held lock was taken.
struct TakenAt {
  uint64_t site = 0;
  uint32_t stack = 0;  // 0: only the site is known
};
// The thread asks for `wanted` (0: it must hold nothing) against `rule` while it holds `held`,
// with its mode. One record a pair of stacks.
void NoteOrderViolation(const Place& place, PackedRef wanted, PackedRef held, TakenAt taken,
                        OrderRule rule, uint64_t site);

}  // namespace lockwarden::ledger
