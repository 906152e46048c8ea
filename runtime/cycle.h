// Whether a wait that is about to begin closes a cycle of waits: asked by the waiting thread
// itself, of the ledger alone. Victims are chosen by it; what is told of deadlocks is the judge's
// business.
//
// Followed are waits without a time limit that only a holder can end: for a Lock, an RLock, a
// SharedLock, a pthread mutex, and for the end of a thread. Anything else ends the search: then
// there is no victim, and the judge may still find a deadlock.
//
//   R1 the wait is published (P2), then `breaking` is rewritten  acq_rel: of any two closers the
//      later one finds the wait of the earlier
//   R2 who has found a cycle takes `breaking` (a futex_lock.h word) and looks once more; if it is
//      still there it withdraws its wait before it gives `breaking` back. So of several that close
//      one cycle the first is the victim, and the others find it open
//
// What is found is a deadlock, as far as the records tell: the kernel is not asked. (A wait that a
// handler left by siglongjmp stays published until the thread comes by above it again.) At the end of the chain stands a thread that waits for what the
// caller holds, and keeps: it cannot move, so what it holds it keeps as well, and so on. So the
// links are verified in that order, from the caller's own hold backwards, and of each thread the
// wait before the hold.
//
// Written by: the calling thread. Must never: read the memory of a lock, or allocate. It sleeps on
// `breaking` only, for as long as other closers search.
#pragma once

#include "runtime/recorder.h"

namespace lockwarden::ledger {

// One thread of a cycle. It waits for what the next one holds, and the last one for what the first.
struct CycleLink {
  uint32_t tid;
  LockKind kind;  // of what it waits for; kNone: for the next thread's end
  char thread_name[16];
  const void* lock;  // its address
  uint64_t lock_serial;
  char lock_name[48];  // may be cut, or empty
  uint64_t wait_site;  // of the call that waits; 0: not known
  uint64_t hold_site;  // of the call by which the next one took it; 0: not known
};

struct Cycle {
  static constexpr uint32_t kLinks = 16;
  uint32_t length = 0;  // of threads, of which the first kLinks are described
  CycleLink links[kLinks];
};

// How far it is looked: so many threads one behind another, so many met on the way.
inline constexpr uint32_t kLongestChain = 64;
inline constexpr uint32_t kThreadsMet = 512;

// From the wait that `self` has published in this frame. `out` is written only if it is true.
bool FindCycle(const ThreadRecord& self, uint32_t frame, Cycle* out);

// R1, and R2 to its end: true if it is withdrawn. Between: the two halves, with a test's seam.
void OfferWait();
bool WithdrawIfCyclic(const Place& place, Cycle* out);

struct NoCycleSeam {
  static void Offered() {}
  static void Found() {}
};

// The calling thread's wait is published. True: it closes a cycle, this thread is the victim, its
// wait is withdrawn and it must not sleep.
template <class Seam = NoCycleSeam>
bool IsVictim(const Place& place, Cycle* out) {
  OfferWait();
  Seam::Offered();
  if (!FindCycle(*place.record, place.frame_index, out)) return false;
  Seam::Found();
  return WithdrawIfCyclic(place, out);
}

}  // namespace lockwarden::ledger
