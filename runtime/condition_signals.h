// Who signals a condition, and whether anybody was there to hear it: evidence for readers, who
// tell by it a wait that nobody is left to end from one whose signaller is on its way.
//
// A condition is neither acquired nor released, so the words for that in its LockRecord are
// free for this:
//   acquisitions      the serials of the first two threads that signalled it, one in each half
//   signal_marks      kSomebodyHeard, kOthersSignal, and above them how many found nobody
//   foreign_releases  the stack of the last signal that found nobody; 0: not known
//
// Written by: threads that signal, without synchronisation: a count is "at least". Once a
// signal was heard none is counted any more, so that they go on reading only. Read by: readers.
// Must never: decide a verdict alone.
#pragma once

#include <cstdint>

#include "runtime/lock_record.h"

namespace lockwarden::ledger {

struct Place;
using DescribeLock = uint32_t (*)(const void* lock);  // as in lock_identity.h

inline constexpr uint32_t kSomebodyHeard = 1u << 0;  // a signal found a waiting thread
inline constexpr uint32_t kOthersSignal = 1u << 1;   // more threads than there is room for
inline constexpr uint32_t kOneUnheard = 1u << 2;     // the count begins here
inline constexpr uint32_t kMostUnheard = 1000;       // then it stands still

inline std::atomic<uint64_t>& Signallers(LockRecord& condition) { return condition.acquisitions; }
inline std::atomic<uint32_t>& SignalMarks(LockRecord& condition) { return condition.signal_marks; }
inline std::atomic<uint32_t>& UnheardStack(LockRecord& condition) {
  return condition.foreign_releases;
}

// This thread is about to signal; `heard`: somebody waits, as far as the condition tells.
void NoteSignal(const Place& place, const void* condition, DescribeLock describe, bool heard,
                uint64_t site);
// A life begins or ends that was, or will be, a condition's: nobody has signalled it.
void ForgetSignals(LockRecord& record);

}  // namespace lockwarden::ledger
