// How sure a deadlock is, and which witnesses say so; see docs/detectors.md.
// Pure functions. Must never: count a witness that could not be had as one that agrees.
#pragma once

#include <cstdint>

#include "watchdog/deadlock_detector.h"

namespace lockwarden {

// Fills in confidence and evidence. `inferred`: the cycle runs through semaphores.
void Grade(const WaitModel& model, bool inferred, uint64_t confirm_after_ns, Deadlock* deadlock);

// Signals whose handler could wake somebody: every one that the process catches, but
// for those that report its own errors, and glibc's internal ones.
uint64_t WakingSignals(uint64_t caught);

// Whether a handler of the process may run with nobody outside sending a signal: for a timer,
// a descriptor, a child that ends. It may post where no handler ever did. True if it cannot be
// known.
bool HandlersRunByThemselves(KernelView* kernel);

// Whether threads that are all asleep may be told as deadlocked although a handler could
// wake them: only round a cycle whose semaphores were never handed over.
bool HoldsAgainstHandlers(const WaitModel& model, const Deadlock& deadlock);

}  // namespace lockwarden
