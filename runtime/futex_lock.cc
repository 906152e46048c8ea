// See futex_lock.h for the protocol.
#include "runtime/futex_lock.h"

#include <linux/futex.h>

#include "runtime/raw_syscall.h"

namespace lockwarden::ledger {

void FutexLockSlow(std::atomic<uint32_t>* word, uint32_t tid) {
  uint32_t seen = word->load(std::memory_order_relaxed);  // F1 synchronises, not this look
  for (;;) {
    if (seen == kLockFree) {
      // Others may have slept behind us: keep the top bit, at the price of one wake too many.
      if (word->compare_exchange_weak(seen, tid | kLockWaiters, std::memory_order_acquire,
                                      std::memory_order_relaxed)) {  // F1
        return;
      }
      continue;
    }
    if ((seen & kLockWaiters) == 0 &&
        !word->compare_exchange_weak(seen, seen | kLockWaiters, std::memory_order_relaxed)) {  // F3
      continue;
    }
    RawSyscall(SYS_futex, AsLong(word), FUTEX_WAIT_PRIVATE, static_cast<long>(seen | kLockWaiters));
    seen = word->load(std::memory_order_relaxed);  // F1 synchronises, not this look
  }
}

void FutexWakeOne(std::atomic<uint32_t>* word) {
  RawSyscall(SYS_futex, AsLong(word), FUTEX_WAKE_PRIVATE, 1);
}

}  // namespace lockwarden::ledger
