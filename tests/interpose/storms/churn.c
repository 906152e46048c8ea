// Threads that come and go: joined in every way, detached, ended by return, pthread_exit and
// with locks held; locks whose memory is used again for others.
#include "storm.h"

#include <errno.h>
#include <sched.h>
#include <semaphore.h>
#include <stdalign.h>
#include <string.h>
#include <unistd.h>

enum { kShared = 8, kAtOnce = 12 };

static pthread_mutex_t shared[kShared];
static long guarded[kShared];
static atomic_long locked, ended;

// Takes two of the shared locks, in order of their index.
static void LockTwo(uint64_t* state) {
  unsigned a = (unsigned)(Next(state) % kShared), b = (unsigned)(Next(state) % kShared);
  if (a > b) {
    const unsigned c = a;
    a = b;
    b = c;
  }
  MUST(pthread_mutex_lock(&shared[a]) == 0);
  if (a != b) MUST(pthread_mutex_lock(&shared[b]) == 0);
  ++guarded[a];
  ++locked;
  if (a != b) {
    ++guarded[b];
    ++locked;
    MUST(pthread_mutex_unlock(&shared[b]) == 0);
  }
  MUST(pthread_mutex_unlock(&shared[a]) == 0);
}

// Locks that live where others lived before: in the heap and on this stack, of every kind.
static void LockOwn(uint64_t* state) {
  union Object {
    pthread_mutex_t mutex;
    pthread_rwlock_t rwlock;
    sem_t semaphore;
  };
  union Object* heap = malloc(sizeof(*heap));
  union Object stack;
  for (int i = 0; i < 4; ++i) {
    union Object* object = i % 2 == 0 ? heap : &stack;
    memset(object, 0, sizeof(*object));
    switch (Next(state) % 3) {
      case 0:
        // Never initialised nor destroyed by a call, as std::mutex is not.
        MUST(pthread_mutex_lock(&object->mutex) == 0);
        MUST(pthread_mutex_trylock(&object->mutex) == EBUSY);
        MUST(pthread_mutex_unlock(&object->mutex) == 0);
        break;
      case 1:
        MUST(pthread_rwlock_init(&object->rwlock, NULL) == 0);
        MUST(pthread_rwlock_rdlock(&object->rwlock) == 0);
        MUST(pthread_rwlock_unlock(&object->rwlock) == 0);
        MUST(pthread_rwlock_wrlock(&object->rwlock) == 0);
        MUST(pthread_rwlock_unlock(&object->rwlock) == 0);
        MUST(pthread_rwlock_destroy(&object->rwlock) == 0);
        break;
      default:
        MUST(sem_init(&object->semaphore, 0, 1) == 0);
        MUST(sem_wait(&object->semaphore) == 0);
        MUST(sem_post(&object->semaphore) == 0);
        MUST(sem_destroy(&object->semaphore) == 0);
    }
  }
  free(heap);
}

static void* Work(void* seed) {
  uint64_t state = (uint64_t)(uintptr_t)seed;
  LockTwo(&state);
  LockOwn(&state);
  LockTwo(&state);
  ++ended;
  if (Next(&state) % 2 == 0) pthread_exit(seed);
  return seed;
}

static void JoinSomehow(pthread_t thread, uint64_t expected, uint64_t how) {
  struct timespec never = Never();
  void* result = NULL;
  switch (how % 4) {
    case 0: MUST(pthread_join(thread, &result) == 0); break;
    case 1:
      while (pthread_tryjoin_np(thread, &result) == EBUSY) sched_yield();
      break;
    case 2: MUST(pthread_timedjoin_np(thread, &result, &never) == 0); break;
    case 3: MUST(pthread_clockjoin_np(thread, &result, CLOCK_MONOTONIC, &never) == 0); break;
  }
  MUST((uint64_t)(uintptr_t)result == expected);
}

static void InitShared(void) {
  for (int i = 0; i < kShared; ++i) MUST(pthread_mutex_init(&shared[i], NULL) == 0);
}

void Churn(uint64_t seed, int rounds) {
  uint64_t state = seed;
  long joined = 0, started = 0;
  InitShared();
  for (int round = 0; round < rounds; round += kAtOnce) {
    pthread_t threads[kAtOnce];
    uint64_t seeds[kAtOnce];
    int detached[kAtOnce];
    for (int i = 0; i < kAtOnce; ++i, ++started) {
      seeds[i] = Next(&state);
      detached[i] = Next(&state) % 4 == 0;
      MUST(pthread_create(&threads[i], NULL, Work, (void*)(uintptr_t)seeds[i]) == 0);
      if (detached[i]) MUST(pthread_detach(threads[i]) == 0);
    }
    for (int i = 0; i < kAtOnce; ++i) {
      const uint64_t how = Next(&state);
      if (detached[i]) continue;
      JoinSomehow(threads[i], seeds[i], how);
      ++joined;
    }
  }
  while (ended != started) sched_yield();
  long sum = 0;
  for (int i = 0; i < kShared; ++i) {
    pthread_mutex_lock(&shared[i]);
    sum += guarded[i];
    pthread_mutex_unlock(&shared[i]);
  }
  printf("started %ld, joined %ld, ended %ld, locked %ld, guarded %ld\n", started, joined,
         atomic_load(&ended), atomic_load(&locked), sum);
}

struct Robust {
  pthread_mutex_t mutex;
  long value;
};
static struct Robust robust[kShared];
static atomic_long died, found_dead;

static void* DieHolding(void* seed) {
  uint64_t state = (uint64_t)(uintptr_t)seed;
  for (int i = 0; i < 3; ++i) {
    struct Robust* mine = &robust[Next(&state) % kShared];
    const int result = pthread_mutex_lock(&mine->mutex);
    if (result == EOWNERDEAD) {
      ++found_dead;
      MUST(pthread_mutex_consistent(&mine->mutex) == 0);
    } else {
      MUST(result == 0);
    }
    ++mine->value;
    if (i == 2 && Next(&state) % 2 == 0) {
      ++died;
      pthread_exit(NULL);
    }
    MUST(pthread_mutex_unlock(&mine->mutex) == 0);
  }
  return NULL;
}

// Threads that end holding a robust mutex: each such end is found, once.
void EndHolding(uint64_t seed, int rounds) {
  uint64_t state = seed;
  pthread_mutexattr_t attributes;
  pthread_mutexattr_init(&attributes);
  pthread_mutexattr_setrobust(&attributes, PTHREAD_MUTEX_ROBUST);
  for (int i = 0; i < kShared; ++i) pthread_mutex_init(&robust[i].mutex, &attributes);
  for (int round = 0; round < rounds; round += kAtOnce) {
    pthread_t threads[kAtOnce];
    for (int i = 0; i < kAtOnce; ++i) {
      void* argument = (void*)(uintptr_t)Next(&state);
      MUST(pthread_create(&threads[i], NULL, DieHolding, argument) == 0);
    }
    for (int i = 0; i < kAtOnce; ++i) MUST(pthread_join(threads[i], NULL) == 0);
  }
  long sum = 0, dead_at_end = 0;
  for (int i = 0; i < kShared; ++i) {
    const int result = pthread_mutex_lock(&robust[i].mutex);
    if (result == EOWNERDEAD) {
      ++dead_at_end;
      MUST(pthread_mutex_consistent(&robust[i].mutex) == 0);
    }
    sum += robust[i].value;
    MUST(pthread_mutex_unlock(&robust[i].mutex) == 0);
  }
  printf("died %ld, all found %d, sum %ld\n", atomic_load(&died),
         atomic_load(&died) == atomic_load(&found_dead) + dead_at_end, sum);
}
