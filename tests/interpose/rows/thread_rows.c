// Threads: created, joined in every way, ended in every way.
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "row.h"

static sem_t go, went;
static void* WaitForGo(void* result) {
  sem_wait(&go);
  return result;
}
static void* WaitForGoDetached(void* unused) {
  sem_wait(&go);
  sem_post(&went);
  return unused;
}
static void* Return(void* result) { return result; }

static void Joins(void) {
  struct timespec past = Past(), soon = Soon(CLOCK_REALTIME), monotonic = Soon(CLOCK_MONOTONIC);
  pthread_t thread;
  void* result = NULL;
  sem_init(&go, 0, 0);
  SHOW(pthread_create(&thread, NULL, WaitForGo, (void*)17));
  SHOW(pthread_tryjoin_np(thread, &result));
  SHOW(pthread_timedjoin_np(thread, &result, &past));
  SHOW(pthread_timedjoin_np(thread, &result, &soon));
  SHOW(pthread_clockjoin_np(thread, &result, CLOCK_MONOTONIC, &past));
  SHOW(pthread_clockjoin_np(thread, &result, CLOCK_MONOTONIC, &monotonic));
  SHOW(pthread_clockjoin_np(thread, &result, CLOCK_PROCESS_CPUTIME_ID, &past));
  sem_post(&go);
  SHOW(pthread_join(thread, &result));
  Print("result %ld\n", (long)result);
  struct timespec far = {.tv_sec = 1L << 33};
  pthread_create(&thread, NULL, Return, (void*)18);
  SHOW(pthread_timedjoin_np(thread, &result, &far));
  pthread_create(&thread, NULL, Return, (void*)19);
  SHOW(pthread_clockjoin_np(thread, &result, CLOCK_MONOTONIC, &far));
  Print("result %ld\n", (long)result);
  pthread_create(&thread, NULL, Return, (void*)20);
  while (pthread_tryjoin_np(thread, &result) == EBUSY) sched_yield();
  Print("result %ld\n", (long)result);
  SHOW(pthread_join(pthread_self(), NULL));
}

static void Detached(void) {
  pthread_t thread;
  struct timespec past = Past();
  sem_init(&go, 0, 0);
  sem_init(&went, 0, 0);
  pthread_create(&thread, NULL, WaitForGoDetached, NULL);
  SHOW(pthread_detach(thread));
  SHOW(pthread_detach(thread));
  SHOW(pthread_join(thread, NULL));
  SHOW(pthread_tryjoin_np(thread, NULL));
  SHOW(pthread_timedjoin_np(thread, NULL, &past));
  SHOW(pthread_clockjoin_np(thread, NULL, CLOCK_MONOTONIC, &past));
  sem_post(&go);
  sem_wait(&went);
}

static void* JoinFor(void* t) { return (void*)(long)pthread_join(*(pthread_t*)t, NULL); }

static void JoinCancelled(void) {
  pthread_t thread, joiner;
  void* result = NULL;
  pthread_create(&thread, NULL, WaitForGo, NULL);
  pthread_create(&joiner, NULL, JoinFor, &thread);
  SHOW(pthread_cancel(joiner));
  SHOW(pthread_join(joiner, &result));
  Print("cancelled %d\n", result == PTHREAD_CANCELED);
  sem_post(&go);
  SHOW(pthread_join(thread, NULL));
}

static void CreateRefused(void) {
  pthread_attr_t attributes;
  pthread_t thread;
  pthread_attr_init(&attributes);
  SHOW(pthread_attr_setstacksize(&attributes, 100));
  SHOW(pthread_attr_setstacksize(&attributes, (size_t)1 << 60));
  SHOW(pthread_create(&thread, &attributes, Return, NULL));
  pthread_attr_destroy(&attributes);
  for (int i = 0; i < 3; ++i) SHOW((int)(long)InThread(Return, NULL));
}

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_key_t key;
static atomic_int destroyed;

static void Destructor(void* value) {
  pthread_mutex_lock(&mutex);
  ++destroyed;
  pthread_mutex_unlock(&mutex);
  // Again in the next round of destructors.
  if ((long)value > 1) pthread_setspecific(key, (void*)((long)value - 1));
}

static void* SetAndReturn(void* unused) {
  pthread_setspecific(key, (void*)3);
  return unused;
}
static void* SetAndExit(void* unused) {
  pthread_setspecific(key, (void*)3);
  pthread_mutex_lock(&mutex);
  pthread_mutex_unlock(&mutex);
  pthread_exit(unused);
}
static void UnlockMutex(void* m) { pthread_mutex_unlock(m); }
static void* ExitHolding(void* unused) {
  pthread_setspecific(key, (void*)1);
  pthread_mutex_lock(&mutex);
  pthread_cleanup_push(UnlockMutex, &mutex);
  pthread_exit(unused);
  pthread_cleanup_pop(0);
}

static void Ends(void) {
  pthread_key_create(&key, Destructor);
  InThread(SetAndReturn, NULL);
  Print("destructors %d\n", destroyed);
  SHOW((int)(long)InThread(SetAndExit, (void*)1));
  Print("destructors %d\n", destroyed);
  InThread(ExitHolding, NULL);
  Print("destructors %d\n", destroyed);
  SHOW(pthread_mutex_trylock(&mutex));
  SHOW(pthread_mutex_unlock(&mutex));
  pthread_key_delete(key);
}

static void* LastThread(void* unused) {
  (void)unused;
  pthread_mutex_lock(&mutex);
  pthread_mutex_unlock(&mutex);
  _exit(23);
}
static void MainEndsFirst(void* unused) {
  pthread_t thread;
  pthread_mutex_lock(&mutex);
  pthread_create(&thread, NULL, LastThread, unused);
  pthread_mutex_unlock(&mutex);
  pthread_exit(NULL);
}
static void* EndQuietly(void* unused) { return unused; }
static void MainEndsAndNobodyExits(void* unused) {
  pthread_t thread;
  pthread_create(&thread, NULL, EndQuietly, unused);
  pthread_exit(NULL);
}

static void MainExits(void) {
  SHOW_VALUE(InChild(MainEndsFirst, NULL));
  SHOW_VALUE(InChild(MainEndsAndNobodyExits, NULL));
}

static sigjmp_buf outside;
static sem_t never;
static void LeaveTheWait(int signal) {
  (void)signal;
  siglongjmp(outside, 1);
}
// A wait with a time limit of the program's own making: the handler jumps out of it.
static void LongjmpOutOfWaits(void) {
  struct sigaction action = {.sa_handler = LeaveTheWait, .sa_flags = SA_NODEFER}, before;
  volatile int left = 0;
  sem_init(&never, 0, 0);
  sigaction(SIGVTALRM, &action, &before);
  for (volatile int i = 0; i < 20; ++i) {
    if (sigsetjmp(outside, 1) == 0) {
      timer_t timer;
      struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGVTALRM};
      struct itimerspec once = {.it_value = {.tv_nsec = 1000000}};
      timer_create(CLOCK_MONOTONIC, &event, &timer);
      timer_settime(timer, 0, &once, NULL);
      sem_wait(&never);
    } else {
      ++left;
    }
    pthread_mutex_lock(&mutex);
    pthread_mutex_unlock(&mutex);
  }
  sigaction(SIGVTALRM, &before, NULL);
  Print("left %d\n", left);
}

const struct Row kThreadRows[] = {
    {"pthread_create pthread_join pthread_tryjoin_np pthread_timedjoin_np pthread_clockjoin_np",
     "joined in every way", Joins},
    {"pthread_detach pthread_join pthread_tryjoin_np pthread_timedjoin_np "
     "pthread_clockjoin_np",
     "detached", Detached},
    {"pthread_join pthread_cancel", "the joiner is cancelled", JoinCancelled},
    {"pthread_create", "refused", CreateRefused},
    {"pthread_create pthread_mutex_lock", "destructors lock after the end", Ends},
    {"pthread_create pthread_mutex_lock", "the main thread ends first", MainExits},
    {"sem_wait pthread_mutex_lock", "left by siglongjmp", LongjmpOutOfWaits},
    {0}};
