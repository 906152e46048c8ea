// Mutexes of every type, used rightly and wrongly. Every kind there is: mutex_kind_rows.c.
#include <limits.h>
#include <stdlib.h>

#include "row.h"

static pthread_mutex_t Make(int type) {
  pthread_mutex_t mutex;
  pthread_mutexattr_t attributes;
  pthread_mutexattr_init(&attributes);
  pthread_mutexattr_settype(&attributes, type);
  pthread_mutex_init(&mutex, &attributes);
  pthread_mutexattr_destroy(&attributes);
  return mutex;
}

static void* TryHeldByAnother(void* m) {
  pthread_mutex_t* mutex = m;
  struct timespec past = Past();
  struct timespec soon = Soon(CLOCK_REALTIME), soon_monotonic = Soon(CLOCK_MONOTONIC);
  SHOW(pthread_mutex_trylock(mutex));
  SHOW(pthread_mutex_timedlock(mutex, &past));
  SHOW(pthread_mutex_clocklock(mutex, CLOCK_MONOTONIC, &past));
  SHOW(pthread_mutex_clocklock(mutex, CLOCK_REALTIME, &past));
  SHOW(pthread_mutex_timedlock(mutex, &soon));
  SHOW(pthread_mutex_clocklock(mutex, CLOCK_MONOTONIC, &soon_monotonic));
  SHOW(pthread_mutex_destroy(mutex));
  return NULL;
}

static void HeldByAnother(void) {
  const int types[] = {PTHREAD_MUTEX_NORMAL, PTHREAD_MUTEX_RECURSIVE, PTHREAD_MUTEX_ERRORCHECK,
                       PTHREAD_MUTEX_ADAPTIVE_NP};
  for (int i = 0; i < 4; ++i) {
    pthread_mutex_t mutex = Make(types[i]);
    SHOW(pthread_mutex_lock(&mutex));
    InThread(TryHeldByAnother, &mutex);
    SHOW(pthread_mutex_unlock(&mutex));
    SHOW(pthread_mutex_destroy(&mutex));
  }
}

static void* UnlockAnothers(void* mutex) {
  SHOW(pthread_mutex_unlock(mutex));
  return NULL;
}

static void ErrorCheck(void) {
  pthread_mutex_t mutex = Make(PTHREAD_MUTEX_ERRORCHECK);
  struct timespec past = Past();
  SHOW(pthread_mutex_unlock(&mutex));
  SHOW(pthread_mutex_lock(&mutex));
  SHOW(pthread_mutex_lock(&mutex));
  SHOW(pthread_mutex_timedlock(&mutex, &past));
  SHOW(pthread_mutex_trylock(&mutex));
  InThread(UnlockAnothers, &mutex);
  SHOW(pthread_mutex_unlock(&mutex));
  SHOW(pthread_mutex_unlock(&mutex));
  SHOW(pthread_mutex_destroy(&mutex));
}

static void Recursive(void) {
  pthread_mutex_t mutex = Make(PTHREAD_MUTEX_RECURSIVE);
  struct timespec past = Past();
  SHOW(pthread_mutex_unlock(&mutex));
  SHOW(pthread_mutex_lock(&mutex));
  SHOW(pthread_mutex_lock(&mutex));
  SHOW(pthread_mutex_trylock(&mutex));
  SHOW(pthread_mutex_timedlock(&mutex, &past));
  SHOW(pthread_mutex_clocklock(&mutex, CLOCK_MONOTONIC, &past));
  InThread(UnlockAnothers, &mutex);
  for (int i = 0; i < 6; ++i) SHOW(pthread_mutex_unlock(&mutex));
  SHOW(pthread_mutex_destroy(&mutex));
}

static void Normal(void) {
  pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
  struct timespec past = Past();
  SHOW(pthread_mutex_lock(&mutex));
  SHOW(pthread_mutex_trylock(&mutex));
  SHOW(pthread_mutex_timedlock(&mutex, &past));
  InThread(UnlockAnothers, &mutex);  // wrong, but glibc lets it
  SHOW(pthread_mutex_trylock(&mutex));
  SHOW(pthread_mutex_destroy(&mutex));
  SHOW(pthread_mutex_unlock(&mutex));
  SHOW(pthread_mutex_destroy(&mutex));
}

static void StaticInitialisers(void) {
  pthread_mutex_t recursive = PTHREAD_RECURSIVE_MUTEX_INITIALIZER_NP;
  pthread_mutex_t checked = PTHREAD_ERRORCHECK_MUTEX_INITIALIZER_NP;
  pthread_mutex_t adaptive = PTHREAD_ADAPTIVE_MUTEX_INITIALIZER_NP;
  SHOW(pthread_mutex_lock(&recursive));
  SHOW(pthread_mutex_lock(&recursive));
  SHOW(pthread_mutex_lock(&checked));
  SHOW(pthread_mutex_lock(&checked));
  SHOW(pthread_mutex_lock(&adaptive));
  SHOW(pthread_mutex_trylock(&adaptive));
}

static void WrongDeadlines(void) {
  pthread_mutex_t free_mutex = PTHREAD_MUTEX_INITIALIZER, mutex = Make(PTHREAD_MUTEX_NORMAL);
  struct timespec wrong = {.tv_sec = 1, .tv_nsec = 1000000000}, negative = {.tv_sec = -1};
  SHOW(pthread_mutex_timedlock(&free_mutex, &wrong));  // not looked at: it is free
  SHOW(pthread_mutex_unlock(&free_mutex));
  pthread_mutex_lock(&mutex);
  SHOW(pthread_mutex_timedlock(&mutex, &wrong));
  SHOW(pthread_mutex_timedlock(&mutex, &negative));
  SHOW(pthread_mutex_clocklock(&mutex, CLOCK_MONOTONIC, &wrong));
  SHOW(pthread_mutex_clocklock(&mutex, CLOCK_PROCESS_CPUTIME_ID, &negative));
  SHOW(pthread_mutex_unlock(&mutex));
}

static void WrongAttributes(void) {
  pthread_mutex_t mutex;
  pthread_mutexattr_t attributes;
  pthread_mutexattr_init(&attributes);
  pthread_mutexattr_setprotocol(&attributes, PTHREAD_PRIO_INHERIT);
  SHOW(pthread_mutex_init(&mutex, &attributes));
  SHOW(pthread_mutex_lock(&mutex));
  SHOW(pthread_mutex_trylock(&mutex));
  SHOW(pthread_mutex_unlock(&mutex));
  SHOW(pthread_mutex_destroy(&mutex));
  SHOW(pthread_mutex_lock(&mutex));  // destroyed
  pthread_mutexattr_destroy(&attributes);
}

// As many as a count can hold, as if it had been locked so often.
static void CountedOut(void) {
  pthread_mutex_t mutex = Make(PTHREAD_MUTEX_RECURSIVE);
  struct timespec past = Past();
  SHOW(pthread_mutex_lock(&mutex));
  mutex.__data.__count = UINT_MAX;
  SHOW(pthread_mutex_lock(&mutex));
  SHOW(pthread_mutex_trylock(&mutex));
  SHOW(pthread_mutex_timedlock(&mutex, &past));
  SHOW(pthread_mutex_clocklock(&mutex, CLOCK_MONOTONIC, &past));
  mutex.__data.__count = 1;
  SHOW(pthread_mutex_unlock(&mutex));
  SHOW(pthread_mutex_destroy(&mutex));
}

static void PriorityInheritance(void) {
  pthread_mutex_t mutex;
  pthread_mutexattr_t attributes;
  pthread_mutexattr_init(&attributes);
  pthread_mutexattr_setprotocol(&attributes, PTHREAD_PRIO_INHERIT);
  pthread_mutexattr_settype(&attributes, PTHREAD_MUTEX_ERRORCHECK);
  SHOW(pthread_mutex_init(&mutex, &attributes));
  SHOW(pthread_mutex_lock(&mutex));
  SHOW(pthread_mutex_lock(&mutex));
  InThread(TryHeldByAnother, &mutex);
  SHOW(pthread_mutex_unlock(&mutex));
  SHOW(pthread_mutex_destroy(&mutex));
}

static void* LockAndUnlockALot(void* m) {
  for (int i = 0; i < 20000; ++i) {
    pthread_mutex_lock(m);
    pthread_mutex_unlock(m);
  }
  return NULL;
}

static void ManyLocks(void) {
  enum { kCount = 1000 };
  pthread_mutex_t* mutexes = calloc(kCount, sizeof(*mutexes));
  int wrong = 0;
  for (int i = 0; i < kCount; ++i) wrong += pthread_mutex_init(&mutexes[i], NULL) != 0;
  for (int i = 0; i < kCount; ++i) wrong += pthread_mutex_lock(&mutexes[i]) != 0;
  for (int i = 0; i < kCount; ++i) wrong += pthread_mutex_trylock(&mutexes[i]) != EBUSY;
  for (int i = 0; i < kCount; ++i) wrong += pthread_mutex_unlock(&mutexes[(i * 7) % kCount]) != 0;
  for (int i = 0; i < kCount; ++i) wrong += pthread_mutex_destroy(&mutexes[i]) != 0;
  free(mutexes);
  pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
  pthread_t other;
  pthread_create(&other, NULL, LockAndUnlockALot, &mutex);
  LockAndUnlockALot(&mutex);
  pthread_join(other, NULL);
  Print("wrong answers: %d\n", wrong);
}

const struct Row kMutexRows[] = {
    {"pthread_mutex_init pthread_mutex_lock pthread_mutex_trylock pthread_mutex_timedlock "
     "pthread_mutex_clocklock pthread_mutex_unlock pthread_mutex_destroy",
     "held by another thread, every type", HeldByAnother},
    {"pthread_mutex_lock pthread_mutex_unlock", "error checking", ErrorCheck},
    {"pthread_mutex_lock pthread_mutex_unlock", "recursive", Recursive},
    {"pthread_mutex_lock pthread_mutex_unlock", "normal, unlocked by another", Normal},
    {"pthread_mutex_lock", "static initialisers", StaticInitialisers},
    {"pthread_mutex_timedlock pthread_mutex_clocklock", "wrong deadlines", WrongDeadlines},
    {"pthread_mutex_init pthread_mutex_lock", "attributes, and after destroy", WrongAttributes},
    {"pthread_mutex_lock pthread_mutex_trylock pthread_mutex_timedlock pthread_mutex_clocklock",
     "recursive, counted out", CountedOut},
    {"pthread_mutex_lock", "priority inheritance", PriorityInheritance},
    {"pthread_mutex_lock", "a thousand held at once, out of order", ManyLocks},
    {0}};
