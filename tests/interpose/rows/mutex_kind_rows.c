// Every kind of mutex that the attributes can make (type, protocol, robust, shared between
// processes), each through every way to take it.
#include "row.h"

struct MutexKind {
  int type, protocol, robust, shared;
};

// In shared memory, so that a child process can hold it.
static pthread_mutex_t* Make(struct MutexKind kind) {
  pthread_mutex_t* mutex = SharedMemory(sizeof(*mutex));
  pthread_mutexattr_t attributes;
  pthread_mutexattr_init(&attributes);
  pthread_mutexattr_settype(&attributes, kind.type);
  pthread_mutexattr_setprotocol(&attributes, kind.protocol);
  pthread_mutexattr_setrobust(&attributes, kind.robust);
  pthread_mutexattr_setpshared(&attributes, kind.shared);
  const int result = pthread_mutex_init(mutex, &attributes);
  Print("- type %d, protocol %d, robust %d, shared %d: init %s\n", kind.type, kind.protocol,
        kind.robust, kind.shared, ErrorName(result));
  pthread_mutexattr_destroy(&attributes);
  return result == 0 ? mutex : NULL;
}

enum How { kLock, kTry, kTimed, kClock, kHows };
static int LockHow(pthread_mutex_t* mutex, enum How how) {
  struct timespec past = Past();
  switch (how) {
    case kLock: return pthread_mutex_lock(mutex);
    case kTry: return pthread_mutex_trylock(mutex);
    case kTimed: return pthread_mutex_timedlock(mutex, &past);
    case kClock: return pthread_mutex_clocklock(mutex, CLOCK_MONOTONIC, &past);
    case kHows: break;
  }
  return -1;
}

// Unlocks what was taken by an answer of LockHow.
static void UnlockAfter(pthread_mutex_t* mutex, int result) {
  if (result == 0 || result == EOWNERDEAD) SHOW(pthread_mutex_unlock(mutex));
}

static void* TakeAnothers(void* m) {
  pthread_mutex_t* mutex = m;
  for (enum How how = kTry; how < kHows; ++how) SHOW(LockHow(mutex, how));
  return NULL;
}
static void* TakeFree(void* m) {
  pthread_mutex_t* mutex = m;
  for (enum How how = kLock; how < kHows; ++how) {
    errno = kUntouched;
    const int result = LockHow(mutex, how);
    Print("free, way %d: %s, errno %s\n", how, ErrorName(result), ErrorName(errno));
    UnlockAfter(mutex, result);
  }
  return NULL;
}
static void* UnlockAnothers(void* mutex) {
  SHOW(pthread_mutex_unlock(mutex));
  return NULL;
}

static void Use(struct MutexKind kind) {
  const int checks = kind.type == PTHREAD_MUTEX_ERRORCHECK || kind.type == PTHREAD_MUTEX_RECURSIVE;
  pthread_mutex_t* mutex = Make(kind);
  if (mutex == NULL) return;
  InThread(TakeFree, mutex);
  SHOW(pthread_mutex_lock(mutex));
  // A second lock of a mutex that does not check would never return.
  for (enum How how = checks ? kLock : kTry; how < kHows; ++how) {
    errno = kUntouched;
    const int result = LockHow(mutex, how);
    Print("again, way %d: %s, errno %s\n", how, ErrorName(result), ErrorName(errno));
    UnlockAfter(mutex, result);
  }
  InThread(TakeAnothers, mutex);
  if (!kind.robust) SHOW(pthread_mutex_destroy(mutex));  // a robust one would be
  if (checks || kind.robust) InThread(UnlockAnothers, mutex);
  SHOW(pthread_mutex_consistent(mutex));
  SHOW(pthread_mutex_unlock(mutex));
  if (checks || kind.robust) SHOW(pthread_mutex_unlock(mutex));
  SHOW(pthread_mutex_destroy(mutex));
}

static void EveryKind(void) {
  const int types[] = {PTHREAD_MUTEX_NORMAL, PTHREAD_MUTEX_RECURSIVE, PTHREAD_MUTEX_ERRORCHECK,
                       PTHREAD_MUTEX_ADAPTIVE_NP};
  const int protocols[] = {PTHREAD_PRIO_NONE, PTHREAD_PRIO_INHERIT, PTHREAD_PRIO_PROTECT};
  for (int i = 0; i < 4 * 3 * 2 * 2; ++i) {
    Use((struct MutexKind){types[i % 4], protocols[i / 4 % 3], i / 12 % 2, i / 24});
  }
}

static void LockAndDie(void* mutex) {
  pthread_mutex_lock(mutex);
  _exit(0);
}
static void* LockAndEnd(void* mutex) {
  pthread_mutex_lock(mutex);
  return NULL;
}

// EOWNERDEAD through one way, made consistent; then not made so, and ENOTRECOVERABLE.
static void OwnerDies(struct MutexKind kind, enum How how) {
  struct timespec past = Past();
  pthread_mutex_t* mutex = Make(kind);
  if (mutex == NULL) return;
  Print("way %d\n", how);
  SHOW(pthread_mutex_consistent(mutex));
  SHOW_VALUE(InChild(LockAndDie, mutex));
  SHOW(LockHow(mutex, how));
  SHOW(pthread_mutex_consistent(mutex));
  SHOW(pthread_mutex_consistent(mutex));
  SHOW(pthread_mutex_unlock(mutex));
  SHOW(LockHow(mutex, how));
  SHOW(pthread_mutex_unlock(mutex));
  InThread(LockAndEnd, mutex);
  SHOW(LockHow(mutex, how));
  SHOW(pthread_mutex_unlock(mutex));  // not made consistent
  SHOW(pthread_mutex_lock(mutex));
  SHOW(pthread_mutex_timedlock(mutex, &past));
  SHOW(pthread_mutex_clocklock(mutex, CLOCK_MONOTONIC, &past));
  // Last: after this one glibc 2.36 leaves the lock word taken, and an unlock crashes.
  SHOW(pthread_mutex_trylock(mutex));
  SHOW(pthread_mutex_consistent(mutex));
  SHOW(pthread_mutex_destroy(mutex));
}

static void Robust(void) {
  for (int type = 0; type < 4; ++type) {
    for (int protocol = PTHREAD_PRIO_NONE; protocol <= PTHREAD_PRIO_INHERIT; ++protocol) {
      for (enum How how = kLock; how < kHows; ++how) {
        OwnerDies((struct MutexKind){type, protocol, 1, PTHREAD_PROCESS_SHARED}, how);
      }
    }
  }
}

static pthread_mutex_t* robust;
static pthread_cond_t condition = PTHREAD_COND_INITIALIZER;
static sem_t waits;
enum WaitHow { kWait, kTimedWait, kClockWait, kWaitHows };
static enum WaitHow wait_how;

static void* WaitRobust(void* unused) {
  struct timespec far = {.tv_sec = 1L << 40};
  int result = -1;
  (void)unused;
  pthread_mutex_lock(robust);
  sem_post(&waits);
  errno = kUntouched;
  if (wait_how == kWait) result = pthread_cond_wait(&condition, robust);
  if (wait_how == kTimedWait) result = pthread_cond_timedwait(&condition, robust, &far);
  if (wait_how == kClockWait) {
    result = pthread_cond_clockwait(&condition, robust, CLOCK_MONOTONIC, &far);
  }
  Print("wait %d: %s, errno %s\n", wait_how, ErrorName(result), ErrorName(errno));
  SHOW(pthread_mutex_consistent(robust));
  SHOW(pthread_mutex_unlock(robust));
  return NULL;
}
static void* FindDeadAndGiveUp(void* unused) {
  SHOW(pthread_mutex_lock(robust));
  SHOW(pthread_mutex_unlock(robust));
  return unused;
}

// What a wait returns when the mutex that it takes again has lost its owner meanwhile, and
// when somebody found that out before and gave the mutex up.
static void RobustAndCondition(void) {
  for (int given_up = 0; given_up < 2; ++given_up) {
    for (wait_how = kWait; wait_how < kWaitHows; ++wait_how) {
      robust = Make((struct MutexKind){PTHREAD_MUTEX_NORMAL, PTHREAD_PRIO_NONE, 1,
                                       PTHREAD_PROCESS_PRIVATE});
      pthread_t waiter;
      sem_init(&waits, 0, 0);
      pthread_create(&waiter, NULL, WaitRobust, NULL);
      sem_wait(&waits);
      InThread(LockAndEnd, robust);  // it got the mutex: the waiter is in its wait
      if (given_up) InThread(FindDeadAndGiveUp, NULL);
      pthread_cond_broadcast(&condition);
      SHOW(pthread_join(waiter, NULL));
    }
  }
}

const struct Row kMutexKindRows[] = {
    {"pthread_mutex_init pthread_mutex_lock pthread_mutex_trylock pthread_mutex_timedlock "
     "pthread_mutex_clocklock pthread_mutex_unlock pthread_mutex_consistent "
     "pthread_mutex_destroy",
     "every kind, every way", EveryKind},
    {"pthread_mutex_consistent pthread_mutex_lock pthread_mutex_trylock "
     "pthread_mutex_timedlock pthread_mutex_clocklock",
     "robust, the owner died", Robust},
    {"pthread_cond_wait pthread_cond_timedwait pthread_cond_clockwait pthread_cond_broadcast",
     "with a robust mutex whose owner died", RobustAndCondition},
    {0}};
