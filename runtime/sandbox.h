// Sandbox: whether the program has confined itself with seccomp, so that a system call
// of ours may fail, or kill it. From then on the recorder makes none.
//
// Written by: the hooks on prctl and syscall, before the filter is installed. Read by: the
// recorder's slow paths. It is plain memory, so forked children know it too.
// Must never: be asked of the kernel, which takes a system call.
#pragma once

#include <atomic>
#include <cstdint>

namespace lockwarden::ledger {

//   B1 count + 1, before the filter   seq_cst   the filter comes after it, on any thread
//   B2 count                          acquire   on x86 a plain load; never on the fast path
extern std::atomic<uint32_t> sandbox_count;

inline bool Sandboxed() { return sandbox_count.load(std::memory_order_acquire) != 0; }  // B2

// A filter is about to be installed, or seccomp's strict mode entered: call it before the
// real call, which may leave only few calls open. What still takes one is done now.
void NoteSeccomp();
// The real call failed: nothing was installed.
void NoteNoSeccomp();

// In a new image that began under a filter: how far the recorder's own calls go, found out
// by a child that makes them and may be killed. A filter that this process's parent is not
// under may kill whoever makes a child: there nothing is tried.
enum class Tried : uint32_t {
  kNothing = 0,  // a child could not be had, or not be risked
  kLine,         // a line may be written
  kNotice,       // and the supervisor be told
  kAll,          // nothing stands in the way
};
// kAll at once where there is no filter.
Tried TrySystemCalls();

}  // namespace lockwarden::ledger
