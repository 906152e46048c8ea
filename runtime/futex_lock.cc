// See futex_lock.h for the protocol.
#include "runtime/futex_lock.h"

namespace lockwarden::ledger {

bool FutexLockSlow(std::atomic<uint32_t>* word, uint32_t tid, const TimeLimit* limit) {
  uint32_t seen = word->load(std::memory_order_relaxed);  // F1 synchronises, not this look
  for (;;) {
    if (seen == kLockFree) {
      // Others may have slept behind us: keep the top bit, at the price of one wake too many.
      if (word->compare_exchange_weak(seen, tid | kLockWaiters, std::memory_order_acquire,
                                      std::memory_order_relaxed)) {  // F1
        return true;
      }
      continue;
    }
    if ((seen & kLockWaiters) == 0 &&
        !word->compare_exchange_weak(seen, seen | kLockWaiters, std::memory_order_relaxed)) {  // F3
      continue;
    }
    // When the time is up the lock may just have become free: then it is taken.
    const bool in_time = FutexWait(word, seen | kLockWaiters, limit);
    seen = word->load(std::memory_order_relaxed);  // F1 synchronises, not this look
    if (!in_time && seen != kLockFree) return false;
  }
}

}  // namespace lockwarden::ledger
