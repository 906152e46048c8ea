// Threads cancelled in every wait that is a cancellation point, at any moment of it.
#include "storm.h"

#include <errno.h>
#include <sched.h>
#include <semaphore.h>

enum { kAtOnce = 6, kWays = 8 };

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t condition = PTHREAD_COND_INITIALIZER;
static sem_t units;
static atomic_long taken, given, cleaned, cancelled, finished;
static long waiting;  // under mutex
static int open_gate;  // under mutex

static void LeaveCondition(void* unused) {
  (void)unused;
  // The mutex is held again in a cancelled wait's handlers.
  MUST(pthread_mutex_trylock(&mutex) == EBUSY);
  --waiting;
  ++cleaned;
  MUST(pthread_mutex_unlock(&mutex) == 0);
}
static void Count(void* unused) {
  (void)unused;
  ++cleaned;
}
static void* Sleep(void* semaphore) {
  while (sem_wait(semaphore) != 0) {
  }
  return NULL;
}
// Lets the thread that was to be joined end, and joins it if that has not happened.
struct Joined {
  pthread_t thread;
  sem_t end;
};
static void EndJoined(void* argument) {
  struct Joined* joined = argument;
  ++cleaned;
  sem_post(&joined->end);
  MUST(pthread_join(joined->thread, NULL) == 0);
  sem_destroy(&joined->end);
}

static void WaitOnCondition(int way) {
  struct timespec never = Never();
  MUST(pthread_mutex_lock(&mutex) == 0);
  ++waiting;
  pthread_cleanup_push(LeaveCondition, NULL);
  while (!open_gate) {
    if (way == 0) pthread_cond_wait(&condition, &mutex);
    if (way == 1) pthread_cond_timedwait(&condition, &mutex, &never);
    if (way == 2) pthread_cond_clockwait(&condition, &mutex, CLOCK_MONOTONIC, &never);
    if (way == 3) {
      struct timespec soon = InAMoment(CLOCK_REALTIME);
      pthread_cond_timedwait(&condition, &mutex, &soon);
    }
  }
  pthread_cleanup_pop(1);
}

// A unit that a wait returned is counted before the next cancellation point.
static void WaitOnSemaphore(int way) {
  struct timespec never = Never();
  pthread_cleanup_push(Count, NULL);
  for (;;) {
    const int result = way == 4   ? sem_wait(&units)
                       : way == 5 ? sem_timedwait(&units, &never)
                                  : sem_clockwait(&units, CLOCK_MONOTONIC, &never);
    if (result == 0) ++taken;
  }
  pthread_cleanup_pop(1);
}

static void WaitForThread(void) {
  struct Joined joined;
  int before;
  pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &before);
  sem_init(&joined.end, 0, 0);
  MUST(pthread_create(&joined.thread, NULL, Sleep, &joined.end) == 0);
  pthread_cleanup_push(EndJoined, &joined);
  pthread_setcancelstate(before, NULL);
  pthread_join(joined.thread, NULL);
  pthread_cleanup_pop(0);
}

static void* Wait(void* argument) {
  const int way = (int)(uintptr_t)argument;
  if (way < 4) WaitOnCondition(way);
  if (way >= 4 && way < 7) WaitOnSemaphore(way);
  if (way == 7) WaitForThread();
  ++finished;
  return NULL;
}

static void* Disturb(void* argument) {
  uint64_t state = *(uint64_t*)argument;
  for (int i = 0; i < 200; ++i) {
    switch (Next(&state) % 4) {
      case 0: pthread_cond_signal(&condition); break;
      case 1: pthread_cond_broadcast(&condition); break;
      case 2:
        MUST(sem_post(&units) == 0);
        ++given;
        break;
      default:
        MUST(pthread_mutex_lock(&mutex) == 0);
        sched_yield();
        MUST(pthread_mutex_unlock(&mutex) == 0);
    }
  }
  return NULL;
}

void Cancellations(uint64_t seed, int rounds) {
  uint64_t state = seed;
  long started = 0;
  MUST(sem_init(&units, 0, 0) == 0);
  for (int round = 0; round < rounds; round += kAtOnce) {
    pthread_t threads[kAtOnce], disturber;
    uint64_t disturb = Next(&state);
    MUST(pthread_create(&disturber, NULL, Disturb, &disturb) == 0);
    for (int i = 0; i < kAtOnce; ++i, ++started) {
      const uintptr_t way = Next(&state) % kWays;
      MUST(pthread_create(&threads[i], NULL, Wait, (void*)way) == 0);
    }
    for (int i = 0; i < kAtOnce; ++i) {
      if (Next(&state) % 2 == 0) sched_yield();
      MUST(pthread_cancel(threads[i]) == 0);
    }
    for (int i = 0; i < kAtOnce; ++i) {
      void* result = NULL;
      MUST(pthread_join(threads[i], &result) == 0);
      cancelled += result == PTHREAD_CANCELED;
    }
    MUST(pthread_join(disturber, NULL) == 0);
  }
  int left = 0;
  sem_getvalue(&units, &left);
  MUST(pthread_mutex_lock(&mutex) == 0);
  printf("started %ld, cancelled %ld, finished %ld, waiting %ld, units lost %ld\n", started,
         atomic_load(&cancelled), atomic_load(&finished), waiting,
         atomic_load(&given) - atomic_load(&taken) - left);
  MUST(pthread_mutex_unlock(&mutex) == 0);
}
