#include "runtime/futex_wait.h"

#include <linux/futex.h>

#include <cerrno>
#include <ctime>

#include "runtime/raw_syscall.h"

namespace lockwarden::ledger {

bool FutexWait(const void* word, uint32_t expected, const TimeLimit* limit, uint32_t sleeper) {
  timespec at{};
  long operation = FUTEX_WAIT_BITSET_PRIVATE;
  if (limit != nullptr) {
    at.tv_sec = static_cast<time_t>(limit->seconds);
    at.tv_nsec = static_cast<long>(limit->nanoseconds);
    if (limit->realtime != 0) operation |= FUTEX_CLOCK_REALTIME;
  }
  return RawSyscall(SYS_futex, AsLong(word), operation, static_cast<long>(expected),
                    limit == nullptr ? 0 : AsLong(&at), 0,
                    static_cast<long>(sleeper)) != -ETIMEDOUT;
}

void FutexWake(const void* word, uint32_t count, uint32_t sleepers) {
  RawSyscall(SYS_futex, AsLong(word), FUTEX_WAKE_BITSET_PRIVATE, static_cast<long>(count), 0, 0,
             static_cast<long>(sleepers));
}

}  // namespace lockwarden::ledger
