// Lock words: who holds a lock according to the lock itself, read out of the memory of
// the process. One of the three witnesses of a deadlock, beside ledger and kernel.
//
// Layouts: glibc 2.36 on 64-bit machines (unchanged since 2.25), the library's own
// locks (runtime/lock_word.h), and the guards of static initialisers as libstdc++ keeps them.
// A kind without a known layout says nothing.
//
// Pure but for KernelView::ReadMemory. Thread safety: that of the view.
// Must never: be believed alone. A word is memory of the program: it may have been
// copied, overwritten or freed.
#pragma once

#include <cstdint>

#include "watchdog/judge.h"
#include "watchdog/snapshot.h"

namespace lockwarden {

// Locks of this kind have owners: nobody else releases them, if all keep the rules.
bool HasOwner(ledger::LockKind kind);

struct LockWord {
  enum class Says {
    kNothing,     // no layout, or the memory cannot be read
    kFree,
    kOwned,       // exclusively, by `owner`
    kTaken,       // exclusively, but the owner has not written its name yet
    kHeld,        // exclusively, and there is no place for a name
    kReaders,     // by `readers` readers; a SharedLock's `owner` may have its seat besides
    kUnits,       // a semaphore with units left
    kNoUnits,     // a semaphore without
  } says = Says::kNothing;
  bool unreadable = false;   // has a layout, but the memory cannot be read
  uint32_t owner = 0;        // tid, in the process's own pid namespace
  uint32_t readers = 0;
  bool writer_waits = false;       // a writer waits for the readers to leave
  bool closed = false;             // SharedLock: for new readers, by whoever has the seat
  bool writer_preferred = false;   // rwlock: then no new reader enters, not even again
  bool recursive = false;
  bool robust = false;
  bool shared = false;       // between processes; glibc says so of robust ones, too
};

LockWord ReadLockWord(KernelView* kernel, const LockInfo& lock);

}  // namespace lockwarden
