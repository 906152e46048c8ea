// ThreadRecord: what one thread holds and waits for now, readable by anyone who
// maps the ledger, without stopping, signalling or locking that thread.
//
// Written by: the owning thread only, but for `state` while the slot is claimed
// (see "Life of a slot"), for `name`, and for `flags` when the thread is gone. Read by: any
// reader, at any time, in any process.
// Must never: claim a lock that is not held, or a wait that has ended for good.
//
// Which way each field may lie (the reader's verdict rests on this):
//   held list   never names a lock the thread does not hold: an entry is pushed
//               after the acquire returned and popped before the release begins.
//               It may miss a lock that is held, for the width of those windows.
//   wait        is set before the acquire that may block and cleared after it:
//               it may name a wait that is just over, or has not begun, so a
//               reader asks the kernel too. It never stands beside a held entry
//               of the same acquisition: the wait is cleared, then pushed.
//
// Publication (single writer, no fences on the fast path):
//
//   owner, about to block               reader
//   P1 wait details      relaxed        Q1 acquisitions, waits   acquire
//   P2 wait = ref        release        Q2 wait                  acquire
//   owner, acquired                     Q3 wait details          relaxed
//   P3 wait = 0          release        Q4 held_count            acquire
//   P4 held[n]           relaxed        Q5 held[0..count)        relaxed
//   P5 acquisitions += 1 release        Q6 acquisitions, waits   acquire
//   P6 held_count = n+1  release
//   owner, about to release
//   P7 held_count = n-1  release
//
//   P2 pairs with Q2: the details belong to that wait or a newer one.
//   P6 pairs with Q4: the entries below the count are whole, and who sees a hold sees that it
//   was counted: released and taken again, it does not look as if it had been held throughout.
//   P5 pairs with Q1/Q6: a reader that collects twice and finds both counters
//   where they were saw one and the same wait, since every wait that ends does
//   so by an acquisition (P5) or by moving `waits`.
//   P7 is ordered before the release of the lock itself by that release.
//
// Life of a slot: kFree -> kStarting (claimed by the creating thread, by CAS) ->
// kLive (by the thread itself) -> kExiting (its TSD destructors run; it may still
// lock and unlock) -> kFree (by a claimer that the kernel told the tid is gone).
#pragma once

#include <atomic>
#include <cstdint>

#include "runtime/lock_ref.h"

namespace lockwarden::ledger {

enum class ThreadState : uint32_t { kFree = 0, kStarting = 1, kLive = 2, kExiting = 3 };

// The state and, above it, how often the slot has been claimed: who claims it by CAS can
// only take the use that it has looked at, not a later one in the same state.
inline constexpr uint32_t kOneUse = 1u << 8;
constexpr ThreadState StateOf(uint32_t word) { return static_cast<ThreadState>(word & 0xff); }
constexpr uint32_t InState(uint32_t word, ThreadState state) {
  return (word & ~0xffu) | static_cast<uint32_t>(state);
}

enum ThreadFlag : uint32_t {
  kThreadJoined = 1u << 0,  // it was joined, but held locks, so its record is kept
};

// A handler that interrupts the recorder works in the next frame, so that an
// update it interrupted is never published half and its own locks are seen.
inline constexpr uint32_t kFrames = 3;
inline constexpr uint32_t kHeldCapacity[kFrames] = {256, 24, 24};
inline constexpr uint32_t kHeldBegin[kFrames] = {0, 256, 280};
inline constexpr uint32_t kHeldTotal = 304;

inline constexpr uint32_t kHelpedCapacity = 32;

struct HeldEntry {
  std::atomic<PackedRef> lock{0};   // which lock, and how; 0: being rewritten
  std::atomic<uint64_t> site{0};    // return address of the acquiring call
  std::atomic<uint32_t> stack{0};   // interned stack; 0: none was captured
  // Further acquisitions of a recursive lock, and kHoldTimed.
  std::atomic<uint32_t> depth{0};
};

// In HeldEntry::depth: this hold is being timed; see hold_timer.h.
inline constexpr uint32_t kHoldTimed = 1u << 31;

// Details are valid while `wait` is not 0; see P1/P2. A thread that found the lock free, as
// nearly all do, writes none: if it blocks all the same since_ns is 0, and site and stack
// are those of the entry above the held list, which it has ready (P4 before P2).
struct WaitSlot {
  std::atomic<PackedRef> wait{0};
  // kSignal: the mutex (PackedRef). kJoin: pthread_t. kUnowned: who alone can end it, as a join
  // names a thread, or 0. kArrive: how many threads make a round, or 0.
  std::atomic<uint64_t> peer{0};
  std::atomic<uint64_t> object{0};    // address passed to the blocking call
  std::atomic<uint64_t> site{0};      // return address of the blocking call; 0: not yet known
  std::atomic<uint64_t> since_ns{0};  // CLOCK_MONOTONIC; 0: there are no details
  std::atomic<uint32_t> stack{0};     // interned stack; 0: none was captured
  std::atomic<uint32_t> spins{0};     // moves while the thread spins in our own loop
};

struct Frame {
  WaitSlot wait;
  std::atomic<uint32_t> held_count{0};
  // First frame, owner only: at how many acquisitions, low half, a hold is timed next. It stands
  // in the cache line that every acquisition writes to.
  std::atomic<uint32_t> time_at{0};
};

// One slot of the per-thread lock cache: a lock, and how often the thread has taken it since it
// was put here. Owner writes; readers add the counts up by class. See class_tally.h.
struct alignas(32) LockCacheEntry {
  std::atomic<uint64_t> address{0};
  std::atomic<PackedRef> lock{0};        // without mode
  std::atomic<uint64_t> exclusive{0};    // acquisitions, but to read
  std::atomic<uint32_t> shared{0};       // acquisitions to read; wraps round
  std::atomic<uint32_t> lock_class{0};   // as in LockRecord, and kSettled
};
static_assert(sizeof(LockCacheEntry) == 32);

// In LockCacheEntry::lock_class: the lock's record need not learn how often it was taken.
inline constexpr uint32_t kSettled = 1u << 31;

// What a thread's locks of one class cost, but for what their cache entries still count. Owner
// writes.
struct ClassTally {
  std::atomic<uint32_t> lock_class{0};   // whose it is
  std::atomic<uint32_t> shared{0};       // acquisitions to read; wraps round
  std::atomic<uint64_t> exclusive{0};    // other acquisitions
  std::atomic<uint64_t> contentions{0};  // how often one was found taken
  std::atomic<uint64_t> wait_ns{0};      // of waits that have ended
};
static_assert(sizeof(ClassTally) == 32);

// One entry of the per-thread stack cache, a cache line wide: owner thread only, readers
// ignore it. Half of each return address is enough to tell callers apart.
struct alignas(64) StackCacheEntry {
  static constexpr uint32_t kSlots = 4;
  uint64_t site = 0;
  uint64_t stack_pointer = 0;
  uint32_t stack = 0;
  uint32_t module_generation = 0;
  // 8-byte words above stack_pointer, of a return address. Where there are fewer callers
  // the rest stand for the call site itself, one word below, and so agree with the key.
  int16_t slot_offset[kSlots] = {};
  uint32_t slot_value[kSlots] = {};  // the low half of what stands there
};
static_assert(sizeof(StackCacheEntry) == 64);

// Holds of a thread that are being timed, and what chooses the next one; see hold_timer.h. Owner
// thread only, readers ignore it.
struct TimedHold {
  PackedRef lock = 0;  // without mode; 0: free
  uint64_t since_ns = 0;
  uint32_t stands_for = 0;  // so many acquisitions
};
struct HoldTimer {
  uint64_t chosen_ns = 0;  // when the last one was chosen; 0: never
  uint32_t chosen_at = 0;  // acquisitions then, low half
  uint32_t mean = 0;       // acquisitions from one to the next, on average
  TimedHold holds[8];
};

// Sizes of the caches: a large event server takes thousands of locks in tens of thousands
// of orders, and a miss costs a search of the shared tables, or an unwinding. Together with
// the held list they stay below 64 KiB a thread.
inline constexpr uint32_t kClassTallies = 64;
inline constexpr uint32_t kLockCacheSize = 512;
constexpr uint32_t LockCacheIndex(uint64_t address) {
  static_assert(kLockCacheSize == 512, "the shift takes the top 9 of 32 bits");
  return (static_cast<uint32_t>(address) * 0x9e3779b1u) >> 23;
}
inline constexpr uint32_t kOrderCacheSize = 4096;
inline constexpr uint32_t kStackCacheWays = 4;  // entries that share a place
inline constexpr uint32_t kStackCacheSets = 64;

struct alignas(64) ThreadRecord {
  // Hot: the owner writes these on every acquisition.
  Frame frame0;
  std::atomic<uint64_t> acquisitions{0};  // moves with every acquisition
  std::atomic<uint64_t> waits{0};         // moves when a wait begins, and when one ends without acquiring
  std::atomic<uint64_t> contentions{0};   // acquisitions that found the lock taken
  std::atomic<uint64_t> wait_ns{0};       // time spent in waits that have ended

  // Identity: written once before state becomes kLive.
  std::atomic<uint32_t> state{0};          // StateOf, InState
  std::atomic<uint32_t> tid{0};            // kernel thread id in the process's own pid namespace
  std::atomic<uint32_t> serial{0};         // 1, 2, 3, ... in the process; never reused
  std::atomic<uint32_t> creator_serial{0};  // 0: not seen being created
  std::atomic<uint64_t> pthread_self{0};
  std::atomic<uint64_t> start_routine{0};  // pc; 0 for the main thread
  std::atomic<uint64_t> stack_low{0};      // bounds of its stack, 0 when unknown
  std::atomic<uint64_t> stack_high{0};
  std::atomic<uint64_t> created_ns{0};
  std::atomic<uint64_t> order_clock{0};    // moves at create and join: thread_life.h
  std::atomic<uint32_t> exempt{0};         // 1: a thread of Lockwarden's own, not to be judged
  std::atomic<uint32_t> tid_before_fork{0};  // in its parent, whose locks it took over; 0: none
  // As set by pthread_setname_np, by the thread itself or by another; 0s: not set.
  std::atomic<uint64_t> name[2] = {};
  std::atomic<uint32_t> exit_stack{0};     // of pthread_exit, if it held locks then
  std::atomic<uint32_t> flags{0};          // ThreadFlag

  // Drops, each also added to the header's counters by the reader.
  std::atomic<uint64_t> held_dropped{0};      // held list was full
  std::atomic<uint64_t> unknown_releases{0};  // released a lock that was not recorded: normal
  std::atomic<uint64_t> nested_dropped{0};    // handler nested deeper than kFrames
  std::atomic<uint64_t> stack_failures{0};    // a stack could not be captured

  Frame frames_above[kFrames - 1];
  ClassTally class_tallies[kClassTallies];  // at the class's number, modulo
  HeldEntry held[kHeldTotal];
  // What it was seen to help at, below the count; see helpers.h. Without mode.
  std::atomic<uint64_t> helped_count{0};
  std::atomic<PackedRef> helped[kHelpedCapacity] = {};
  LockCacheEntry lock_cache[kLockCacheSize];
  // Half of the hash of (held set, lock), at the place that the other half gives: owner
  // thread only.
  uint32_t order_cache[kOrderCacheSize] = {};
  StackCacheEntry stack_cache[kStackCacheSets][kStackCacheWays];
  uint32_t uses_noted = 0;  // owner thread only: order edges that begin with the thread itself
  HoldTimer hold_timer;

  Frame& FrameAt(uint32_t i) { return i == 0 ? frame0 : frames_above[i - 1]; }
  const Frame& FrameAt(uint32_t i) const { return i == 0 ? frame0 : frames_above[i - 1]; }
};

static_assert(std::atomic<uint64_t>::is_always_lock_free);
static_assert(sizeof(HeldEntry) == 24);
static_assert(sizeof(WaitSlot) == 48);
static_assert(sizeof(ThreadRecord) <= 64 * 1024);

}  // namespace lockwarden::ledger
