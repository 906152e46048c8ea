// Unwinder: the return addresses of the calling thread's own stack, from the
// .eh_frame tables that every object carries, without a lock, an allocation, a loader
// call, a thread-local of a shared object or a signal.
//
// libunwind would do the same, but its per-thread cache is a dynamic thread-local
// (allocated by malloc on first use, inside whatever malloc lock the program's hook
// stands in) and its cold path calls dl_iterate_phdr, which takes the loader lock.
// _dl_find_object (glibc 2.35) is lock-free and async-signal-safe.
//
// Thread safety: reads its own stack and read-only tables. Must never: read outside
// [sp, stack_high), or fault. Sources: the x86-64 psABI, "DWARF Debugging Information
// Format" version 5 section 6.4, and the LSB's "Exception Frames".
#pragma once

#include <cstddef>
#include <cstdint>

namespace lockwarden::ledger {

struct UnwindFrame {
  uint64_t pc = 0;      // return address
  uint64_t slot = 0;    // where on the stack it was read from; 0: a signal frame's register
  // A signal handler returns here: what called it is below, what it interrupted above.
  bool trampoline = false;
};

// Fills `frames` with callers, innermost first, beginning with the frame whose
// canonical frame address is `cfa` (the hook's own: its return address is the first).
// Returns how many; 0 when even that could not be found. `stack_high` bounds reads.
// Errors: a frame without usable tables ends the walk; what was found is returned and
// *complete says whether the outermost frame was reached.
__attribute__((noinline)) size_t UnwindCallers(uint64_t cfa, uint64_t stack_high,
                                               UnwindFrame* frames, size_t capacity,
                                               bool* complete);

}  // namespace lockwarden::ledger
