// StopBriefly: stops one thread of another process, lets the caller look, and lets it go on.
//
// By PTRACE_SEIZE and PTRACE_INTERRUPT: no SIGSTOP, which the program or its parent could see;
// a signal that arrives meanwhile is delivered when the thread goes on; a thread that was
// stopped by job control stays so. The kernel lets everything go if this process dies.
//
// Thread safety: a tracer is a thread. To be called in a thread that ends soon: what could not
// be stopped in time (it sleeps uninterruptibly) is let go of only by that thread's end.
// Must never: kill the program for its own failure, or reap a child of this process.
#pragma once

#include <sys/types.h>
#include <sys/user.h>

#include <cstdint>

#include "absl/functional/function_ref.h"

namespace lockwarden {

enum class StopOutcome {
  kStopped,  // `look` was called
  kRefused,  // not permitted, or somebody else traces it
  kGone,     // no such thread, or it has ended
  kTooLate,  // it did not stop by the deadline
};

// `process`: the thread's process; `deadline_ns`: CLOCK_MONOTONIC. `look` gets the registers
// while the thread stands; what it takes, the program loses.
StopOutcome StopBriefly(pid_t process, pid_t thread, uint64_t deadline_ns,
                        absl::FunctionRef<void(const user_regs_struct&)> look);

// CLOCK_MONOTONIC, nanoseconds.
uint64_t MonotonicNow();

}  // namespace lockwarden
