// The kernel's word on a wait: is this thread asleep, without a time limit, in a futex
// wait on the very object that the ledger names? Whoever waits for a spin lock does not
// sleep; there the witness is our hook's counter, and the kernel must not contradict it.
//
// Pure functions. Must never: take "could not be read" for "agrees".
#pragma once

#include <cstdint>

#include "watchdog/judge.h"
#include "watchdog/snapshot.h"

namespace lockwarden {

enum class KernelSays {
  kAgrees,       // asleep in an untimed futex wait on that object
  kSpins,        // awake, in Lockwarden's own loop round that spin lock
  kAnnotated,    // awake or asleep elsewhere; the program says that it waits for its own lock
  kAsleep,       // asleep, but what in could not be read: compare context switches
  kContradicts,  // gone, running, elsewhere, or its wait has a time limit
  kStopped,      // by a debugger or a signal: nothing can be said now
};

// What a thread should be found asleep on.
struct ExpectedWait {
  ledger::LockKind kind = ledger::LockKind::kNone;  // kNone with `join`
  uint32_t lock_flags = 0;
  uint64_t address = 0;      // of the object; a join: the joined thread's descriptor
  bool join = false;
  uint32_t joined_tid = 0;
  bool spun = false;         // a spin lock: the loop's counter moved since the first sight
};
KernelSays CheckWait(const KernelThread& thread, const ExpectedWait& expected);

// The thread is asleep in an untimed futex wait on this word.
bool SleepsOnWord(const KernelThread& thread, uint64_t address);

// Its futex is private to the process: nobody outside can wake it. False if unknown.
bool SleepsInPrivate(const KernelThread& thread);

}  // namespace lockwarden
