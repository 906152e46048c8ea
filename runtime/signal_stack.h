// The alternate signal stack that the calling thread runs on now, as the kernel says.
//
// Read by: the recorder, where a stack pointer does not lie on the thread's own stack.
// Must never: be asked on a fast path, since it is a system call.
#pragma once

#include <signal.h>

#include <cstdint>

#include "runtime/raw_syscall.h"
#include "runtime/sandbox.h"

namespace lockwarden::ledger {

// False: the thread is on no signal stack that the kernel knows of, or it may not be asked.
inline bool SignalStackBounds(uint64_t* low, uint64_t* high) {
  if (Sandboxed()) return false;
  stack_t now{};
  if (RawSyscall(SYS_sigaltstack, 0, AsLong(&now)) != 0 || (now.ss_flags & SS_ONSTACK) == 0) {
    return false;
  }
  *low = reinterpret_cast<uint64_t>(now.ss_sp);
  *high = *low + now.ss_size;
  return true;
}

}  // namespace lockwarden::ledger
