// What a libc object says of itself when the recorder first meets it: its kind and flags,
// read from the object that the program is just using.
//
// glibc's layouts: sysdeps/nptl/bits/struct_mutex.h and struct_rwlock.h (public headers), and
// for barriers, spin locks and once controls nptl's own.
#pragma once

#include <pthread.h>
#include <semaphore.h>

#include <atomic>
#include <cstdint>

#include "runtime/lock_ref.h"
#include "runtime/lock_record.h"
#include "runtime/misuse.h"

namespace lockwarden::interpose {

inline uint32_t Kind(ledger::LockKind kind) { return static_cast<uint32_t>(kind); }

inline uint32_t DescribeMutex(const void* lock) {
  // nptl/pthreadP.h: the bits of __kind.
  constexpr int kTypeMask = 3, kRobustBit = 16, kInheritBit = 32, kProtectBit = 64, kSharedBit = 128;
  const int kind = static_cast<const pthread_mutex_t*>(lock)->__data.__kind;
  uint32_t flags = Kind(ledger::LockKind::kMutex);
  if ((kind & kTypeMask) == PTHREAD_MUTEX_RECURSIVE_NP) flags |= ledger::kRecursive;
  if ((kind & kTypeMask) == PTHREAD_MUTEX_ERRORCHECK_NP) flags |= ledger::kErrorCheck;
  if ((kind & kTypeMask) == PTHREAD_MUTEX_ADAPTIVE_NP) flags |= ledger::kAdaptive;
  if ((kind & kRobustBit) != 0) flags |= ledger::kRobust;
  if ((kind & kInheritBit) != 0) flags |= ledger::kPriorityInherit;
  if ((kind & kProtectBit) != 0) flags |= ledger::kPriorityProtect;
  if ((kind & kSharedBit) != 0) flags |= ledger::kProcessShared;
  return flags;
}

inline uint32_t DescribeRwLock(const void* lock) {
  const auto& data = static_cast<const pthread_rwlock_t*>(lock)->__data;
  uint32_t flags = Kind(ledger::LockKind::kRwLock);
  if (data.__flags == PTHREAD_RWLOCK_PREFER_WRITER_NP) flags |= ledger::kPreferWriter;
  if (data.__flags == PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP) {
    flags |= ledger::kPreferWriterNonrecursive;
  }
  if (data.__shared != 0) flags |= ledger::kProcessShared;
  return flags;
}

inline uint32_t DescribeSemaphore(const void*) { return Kind(ledger::LockKind::kSemaphore); }
inline uint32_t DescribeCondition(const void*) { return Kind(ledger::LockKind::kCondition); }

inline uint32_t DescribeSpin(const void*) { return Kind(ledger::LockKind::kSpin); }
inline uint32_t DescribeOnce(const void*) { return Kind(ledger::LockKind::kOnce); }
inline uint32_t DescribeGuard(const void*) { return Kind(ledger::LockKind::kGuard); }
inline uint32_t DescribeFutex(const void*) { return Kind(ledger::LockKind::kFutex); }
// {in@0, current round@4, count@8, shared@12, out@16}
inline uint32_t DescribeBarrier(const void* barrier) {
  const bool shared = static_cast<const int*>(barrier)[3] != 0;
  return Kind(ledger::LockKind::kBarrier) | (shared ? uint32_t{ledger::kProcessShared} : 0u);
}

// Does it look taken? A plain look at a word that others write: a hint that may be wrong
// either way, and decides only how much is recorded.
inline int PeekWord(const void* word) { return *static_cast<const volatile int*>(word); }

// Who holds it, by its own word (see struct_mutex.h, struct_rwlock.h and, for the readers,
// below): a plain look as well.
inline ledger::WordSays SaysMutex(const void* lock) {
  const auto* mutex = static_cast<const pthread_mutex_t*>(lock);
  return {.owner = static_cast<uint32_t>(PeekWord(&mutex->__data.__owner))};
}
inline ledger::WordSays SaysRwLock(const void* lock) {
  const auto* rwlock = static_cast<const pthread_rwlock_t*>(lock);
  const uint32_t writer = static_cast<uint32_t>(PeekWord(&rwlock->__data.__cur_writer));
  const uint32_t readers = static_cast<uint32_t>(PeekWord(&rwlock->__data.__readers));
  // In the write phase those that are counted wait.
  return {.owner = writer, .readers = (readers & 1) == 0 ? readers >> 3 : 0};
}

// Kinds that answer EPERM to a thread that is not their owner are not handed over by it.
inline bool Refuses(const pthread_mutex_t* mutex) {
  constexpr uint32_t kRefusing =
      ledger::kRecursive | ledger::kErrorCheck | ledger::kRobust | ledger::kPriorityInherit;
  return (DescribeMutex(mutex) & kRefusing) != 0;
}
// A thread that was not seen to take the mutex is about to release it: another one's?
inline void NoteIfOthers(const ledger::Place& place, const pthread_mutex_t* mutex, uint64_t site) {
  const ledger::WordSays says = SaysMutex(mutex);
  // Relaxed: own record.
  if (says.owner == 0 || says.owner == place.record->tid.load(std::memory_order_relaxed)) return;
  ledger::NoteForeignRelease(place, mutex, says, site);
}

// What Acquisition needs to know of each kind of object.
struct MutexObject {
  static constexpr ledger::Mode mode = ledger::Mode::kExclusive;
  static uint32_t Describe(const void* lock) { return DescribeMutex(lock); }
  static bool LooksTaken(const void* lock) { return PeekWord(lock) != 0; }
};
// nptl/pthread_rwlock_common.c: bit 0 of __readers is the write phase, bit 1 "write locked",
// the count of readers begins at bit 3.
struct ReaderObject {
  static constexpr ledger::Mode mode = ledger::Mode::kShared;
  static uint32_t Describe(const void* lock) { return DescribeRwLock(lock); }
  static bool LooksTaken(const void* lock) { return (PeekWord(lock) & 3) != 0; }
};
struct WriterObject {
  static constexpr ledger::Mode mode = ledger::Mode::kExclusive;
  static uint32_t Describe(const void* lock) { return DescribeRwLock(lock); }
  static bool LooksTaken(const void* lock) { return PeekWord(lock) != 0; }
};
// A free spin lock is 1 on x86, and 0 elsewhere.
struct SpinObject {
  static constexpr ledger::Mode mode = ledger::Mode::kExclusive;
  static uint32_t Describe(const void* lock) { return DescribeSpin(lock); }
  static bool LooksTaken(const void* lock) {
#ifdef __x86_64__
    return PeekWord(lock) != 1;
#else
    return PeekWord(lock) != 0;
#endif
  }
};
// The first byte says "initialised", the next ones who is at it and who waits.
struct GuardObject {
  static constexpr ledger::Mode mode = ledger::Mode::kExclusive;
  static uint32_t Describe(const void* guard) { return DescribeGuard(guard); }
  static bool LooksDone(const void* guard) {
    return *static_cast<const volatile unsigned char*>(guard) != 0;
  }
  static bool LooksTaken(const void* guard) { return !LooksDone(guard) && PeekWord(guard) != 0; }
};
// The value is the low half of the first word (the number of waiters the high half).
struct SemaphoreObject {
  static constexpr ledger::Mode mode = ledger::Mode::kUnit;
  static uint32_t Describe(const void* lock) { return DescribeSemaphore(lock); }
  static bool LooksTaken(const void* lock) { return PeekWord(lock) == 0; }
};

}  // namespace lockwarden::interpose
