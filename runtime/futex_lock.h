// The locking itself, for Lock and RLock: a futex word with its owner in it.
//
//   F1 word 0 -> tid       CAS acquire        pairs with F2 of the previous owner
//   F2 word -> 0           exchange release   wakes one sleeper if the top bit was set
//   F3 top bit set         CAS relaxed        only says that somebody may sleep; the kernel
//                                             compares the word again before it puts us to sleep
//
// After U. Drepper, "Futexes Are Tricky" (2011), mutex 2, with the owner in the word.
#pragma once

#include <atomic>
#include <cstdint>

#include "runtime/futex_wait.h"
#include "runtime/lock_word.h"

namespace lockwarden::ledger {

inline bool FutexTryLock(std::atomic<uint32_t>* word, uint32_t tid) {
  uint32_t expected = kLockFree;
  // F1; on failure nothing is read but the word.
  return word->compare_exchange_strong(expected, tid, std::memory_order_acquire,
                                       std::memory_order_relaxed);
}

// False: the time is up. `limit` may be null.
bool FutexLockSlow(std::atomic<uint32_t>* word, uint32_t tid, const TimeLimit* limit);
inline bool FutexLock(std::atomic<uint32_t>* word, uint32_t tid,
                      const TimeLimit* limit = nullptr) {
  return __builtin_expect(FutexTryLock(word, tid), 1) || FutexLockSlow(word, tid, limit);
}

inline void FutexUnlock(std::atomic<uint32_t>* word) {
  const uint32_t before = word->exchange(kLockFree, std::memory_order_release);  // F2
  if (__builtin_expect((before & kLockWaiters) != 0, 0)) FutexWake(word, 1);
}

}  // namespace lockwarden::ledger
