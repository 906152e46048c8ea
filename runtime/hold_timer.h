// How long locks are held: a few holds of each thread are timed, and each stands for those since
// the one before it. About a thousand a second are chosen, and at least one in kMostPerTimedHold;
// a thread that takes fewer locks than that has all of them timed. Which one comes next is drawn
// at random when the one before it is chosen, so that a thread with a rhythm of its own is not
// caught at the same lock each time, and how long a hold will last has no say in it.
//
//   acquire, lock taken     P5, P6 of thread_record.h; acquisitions == time_at? then
//                           TimeNewestHold: reads the clock, sets kHoldTimed in the entry
//   release                 the mark keeps the short ways away; the general way ends in
//                           EndTimedHold: reads the clock, counts in the class's LockTimes
//
// A unit of a semaphore is not timed: another thread may post it. Written by: the owning thread,
// into its own record, and the class's counts. Must never: cost a clock read at each acquisition.
#pragma once

#include <cstdint>

#include "runtime/gate.h"

namespace lockwarden::ledger {

inline constexpr uint32_t kMostPerTimedHold = 512;  // on average

// Whether the acquisition that made the count what it is begins a hold to be timed.
inline bool IsTimeToTime(const ThreadRecord* record, uint64_t acquisitions) {
  // Relaxed: own field. As a difference: the count may have moved on meanwhile, and wraps.
  const uint32_t time_at = record->frame0.time_at.load(std::memory_order_relaxed);
  return static_cast<int32_t>(static_cast<uint32_t>(acquisitions) - time_at) >= 0;
}

// Draws the next one. Returns how many acquisitions this one stands for.
uint32_t ChooseNextTimedHold(ThreadRecord* record, uint64_t now_ns);
// What was acquired is no hold, and nothing is timed for it.
void PassTimedHold(ThreadRecord* record);
// Within a hook: times the newest hold of the frame.
void TimeNewestHold(ThreadRecord* record, uint32_t frame);
void TimeNewestHold(ThreadRecord* record, uint32_t frame, uint64_t now_ns);
// The same for who has just left the hook's first frame; returns `rc`, so that the hook can end
// with it. The record may be of another library's recorder.
int TimeHoldAfterHook(ThisThread* self, ThreadRecord* record, int rc);
// The hold is about to end. A no-op for one that is not timed any more.
void EndTimedHold(ThreadRecord* record, PackedRef ref);
void EndTimedHold(ThreadRecord* record, PackedRef ref, uint64_t now_ns);

// A wait for this lock, which slept, has ended.
void CountWait(const LockRecord& lock, uint64_t waited_ns);

}  // namespace lockwarden::ledger
