// Makes absl::Mutex of a program's mutexes, so that its debug mode can be compared; included
// before the program's first line (scripts/accuracy). Whatever else a program does with them,
// a condition or a time limit for instance, does not compile then, and is left out.
//
// Read by: scripts/accuracy only. Must never: be part of Lockwarden's own build.
#pragma once
#include <pthread.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <memory>
#include <mutex>
#include <shared_mutex>
#include <thread>

#include "absl/synchronization/mutex.h"

struct AbslAsPthread {
  absl::Mutex mutex;
};
struct AbslAsRwLock {
  absl::Mutex mutex;
  bool writing = false;  // by whoever holds it
};

inline int AbslLock(AbslAsPthread* m) { return m->mutex.Lock(), 0; }
inline int AbslUnlock(AbslAsPthread* m) { return m->mutex.Unlock(), 0; }
inline int AbslTryLock(AbslAsPthread* m) { return m->mutex.TryLock() ? 0 : 16; }
inline int AbslRead(AbslAsRwLock* m) { return m->mutex.ReaderLock(), 0; }
inline int AbslWrite(AbslAsRwLock* m) { return m->mutex.Lock(), m->writing = true, 0; }
inline int AbslRwUnlock(AbslAsRwLock* m) {
  if (m->writing) {
    m->writing = false;
    m->mutex.Unlock();
  } else {
    m->mutex.ReaderUnlock();
  }
  return 0;
}

namespace std {
struct absl_mutex {
  void lock() { mutex_.Lock(); }
  void unlock() { mutex_.Unlock(); }
  bool try_lock() { return mutex_.TryLock(); }
  ::absl::Mutex mutex_;
};
}  // namespace std

struct AbslReports {
  AbslReports() { absl::SetMutexDeadlockDetectionMode(absl::OnDeadlockCycle::kReport); }
};
static const AbslReports absl_reports;

// From here on the program's own text.
#undef PTHREAD_MUTEX_INITIALIZER
#define PTHREAD_MUTEX_INITIALIZER \
  {}
#undef PTHREAD_RWLOCK_INITIALIZER
#define PTHREAD_RWLOCK_INITIALIZER \
  {}
#define pthread_mutex_t AbslAsPthread
#define pthread_mutex_lock AbslLock
#define pthread_mutex_unlock AbslUnlock
#define pthread_mutex_trylock AbslTryLock
#define pthread_rwlock_t AbslAsRwLock
#define pthread_rwlock_rdlock AbslRead
#define pthread_rwlock_wrlock AbslWrite
#define pthread_rwlock_unlock AbslRwUnlock
#define mutex absl_mutex
