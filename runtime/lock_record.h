// LockRecord: the identity of one lock, and what is known about it.
//
// A record belongs to an address for the life of the process; `generation` tells
// the lives of the locks that have stood there apart. A reference {index,
// generation} is good while the record's generation is still the same, so memory
// that is freed and reused for another lock never joins two lives wherever an
// init or destroy call was seen. Where neither exists (std::mutex, static
// initialisers) reuse cannot be known: kInitSeen is unset and findings that
// hang on identity over time say so.
//
// Written by: any thread of the process (each field says how).
// Read by: any reader. Must never: be freed or moved.
#pragma once

#include <atomic>
#include <cstdint>

#include "runtime/lock_ref.h"
#include "runtime/lock_times.h"

namespace lockwarden::ledger {

// Not written when a known lock is taken, or it would wander from processor to processor with
// the lock: what an acquire counts is in class_tally.h. Of a condition, which nobody acquires or
// releases, the words for that say who signals it; see condition_signals.h.
struct alignas(64) LockRecord {
  std::atomic<uint64_t> address{0};         // written once, before the record can be found
  std::atomic<uint32_t> generation{0};      // moves at init and destroy; see LifeIn
  std::atomic<uint32_t> kind_and_flags{0};  // LockKind | LockFlag; written at init or first use
  std::atomic<uint64_t> serial{0};          // ascending id for people: "lock 17"; one a life
  std::atomic<uint32_t> lock_class{0};      // index into the class table + 1; 0: none
  std::atomic<uint32_t> name{0};            // offset into names; 0: none
  std::atomic<uint32_t> init_stack{0};      // where it was created, if that was seen
  std::atomic<uint32_t> signal_marks{0};    // conditions only
  // Evidence: at least so many acquisitions, in all lives, by threads that have ended or forgotten
  // it since; kUncounted: many.
  std::atomic<uint64_t> acquisitions{0};
  union {
    // Semaphores: evidence of whether units are used as a lock is. Conditions: see LastMutex. What
    // threads help each other at: see HelperCount.
    std::atomic<uint32_t> own_releases{0};  // 1: the thread that held a unit has posted one
    // File locks: the stack that last took one through this descriptor. Other locks: a stack
    // of code outside signal handlers that took it; see handler_use.h.
    std::atomic<uint32_t> plain_stack;
  };
  // Evidence of whether a lock or a semaphore is handed over: not 0 once a thread has released
  // it that held none.
  std::atomic<uint32_t> foreign_releases{0};
};
static_assert(sizeof(LockRecord) == 64);

// In the generation's word: some thread is ending a life here or beginning one. It blocks on
// nothing until it is done, but may be descheduled; others go on with the life that is to be.
inline constexpr uint32_t kLifeChanging = 1u << 31;
constexpr uint32_t LifeIn(uint32_t generation_word) {
  const uint32_t generation = generation_word & kGenerationMask;
  if ((generation_word & kLifeChanging) == 0) return generation;
  return generation == kGenerationMask ? 1 : generation + 1;  // 0: before the first life
}

// In plain_stack, above the stack: it was only taken to read so far; and, once a handler has
// taken the lock, what signals were blocked where code outside handlers took it.
inline constexpr uint32_t kPlainShared = 1u << 31;
inline constexpr uint32_t kPlainAsk = 1u << 30;       // a handler has
inline constexpr uint32_t kPlainBlocked = 1u << 28;   // the handler's signal
inline constexpr uint32_t kPlainDoubtful = 2u << 28;  // others
inline constexpr uint32_t kPlainOpen = 3u << 28;      // not the handler's
inline constexpr uint32_t kPlainMask = kPlainOpen;    // 0: it was not asked; the highest counts
inline constexpr uint32_t kPlainStack = kPlainBlocked - 1;

// Conditions: the index of the mutex that was last waited with, plus 1. A condition is not
// released by anybody.
inline std::atomic<uint32_t>& LastMutex(LockRecord& condition) { return condition.own_releases; }

// Queues, barriers, events: how many threads were seen to help at it; see helpers.h.
inline std::atomic<uint32_t>& HelperCount(LockRecord& object) { return object.own_releases; }

constexpr LockKind KindOf(uint32_t kind_and_flags) {
  return static_cast<LockKind>(kind_and_flags & 0xff);
}

// In `acquisitions`, once a lock was taken so often that nobody needs to know how often.
inline constexpr uint64_t kUncounted = 1ull << 63;
inline constexpr uint64_t kManyTaken = 32;

// Whether to wait for it is to wait for a lock: for a condition, a barrier or work (a semaphore
// that others post) an idle thread waits for hours, and nothing is wrong.
constexpr bool IsLockForMetrics(LockKind kind, uint32_t own_releases, uint32_t foreign_releases) {
  switch (kind) {
    case LockKind::kMutex:
    case LockKind::kRwLock:
    case LockKind::kSpin:
    case LockKind::kOnce:
    case LockKind::kGuard:
    case LockKind::kFileLock:
    case LockKind::kLock:
    case LockKind::kRLock:
    case LockKind::kSharedLock:
    case LockKind::kUser:
      return true;
    case LockKind::kSemaphore:
      return own_releases != 0 && foreign_releases == 0;
    case LockKind::kNone:
    case LockKind::kCondition:
    case LockKind::kBarrier:
    case LockKind::kFutex:
    case LockKind::kEvent:
    case LockKind::kQueue:
    case LockKind::kFuture:
      break;
  }
  return false;
}

// What the locks of one class cost, as far as it was counted by threads that have ended; see
// class_tally.h.
struct ClassTotals {
  std::atomic<uint64_t> exclusive{0};    // acquisitions, but to read
  std::atomic<uint64_t> contentions{0};  // how often one was found taken
  std::atomic<uint64_t> wait_ns{0};      // of waits that have ended
  std::atomic<uint32_t> shared{0};       // acquisitions to read; wraps round
  std::atomic<uint32_t> reserved{0};
};

// A lock class: all locks created, or first locked, at one site.
struct LockClassRecord {
  std::atomic<uint64_t> site{0};    // pc of the creating or first locking call
  std::atomic<uint32_t> stack{0};   // interned stack of that call
  std::atomic<uint32_t> name{0};    // offset into names; 0: none
  std::atomic<uint32_t> kind{0};    // LockKind
  std::atomic<uint32_t> locks{0};   // lives that began in this class
  ClassTotals totals;
  LockTimes times;
};
static_assert(sizeof(LockClassRecord) == 56 + sizeof(LockTimes));

}  // namespace lockwarden::ledger
