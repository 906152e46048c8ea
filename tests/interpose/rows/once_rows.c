// One-time initialisation: functions, and the guards of static C++ objects, called as a
// compiler calls them.
#include <sched.h>
#include <setjmp.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <threads.h>

#include "row.h"

static atomic_int calls;
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static void Count(void) {
  pthread_mutex_lock(&mutex);
  ++calls;
  pthread_mutex_unlock(&mutex);
}

static pthread_once_t simple = PTHREAD_ONCE_INIT;
static once_flag flag = ONCE_FLAG_INIT;
static void Values(void) {
  for (int i = 0; i < 3; ++i) {
    SHOW(pthread_once(&simple, Count));
    call_once(&flag, Count);
    Print("calls %d\n", calls);
  }
}

// Deeper than Lockwarden has frames: each routine runs the next.
enum { kDepth = 12 };
static pthread_once_t nested[kDepth];
static int depth;
static void Deeper(void) {
  Count();
  if (++depth < kDepth) pthread_once(&nested[depth], Deeper);
  Count();
}
static void Nested(void) {
  calls = 0;
  SHOW(pthread_once(&nested[0], Deeper));
  Print("depth %d, calls %d\n", depth, calls);
  for (int i = 0; i < kDepth; ++i) SHOW(pthread_once(&nested[i], Count));
}

static pthread_once_t raced[100];
static atomic_int ready;
static void* Race(void* unused) {
  ++ready;
  while (ready < 4) sched_yield();
  for (int i = 0; i < 100; ++i) pthread_once(&raced[i], Count);
  return unused;
}
static void Raced(void) {
  pthread_t threads[4];
  calls = 0;
  for (int i = 0; i < 4; ++i) pthread_create(&threads[i], NULL, Race, NULL);
  for (int i = 0; i < 4; ++i) pthread_join(threads[i], NULL);
  Print("calls %d\n", calls);
}

static pthread_once_t left = PTHREAD_ONCE_INIT;
static sigjmp_buf outside;
static int way;
static void Leave(void) {
  ++calls;
  if (way == 0) pthread_exit((void*)21);
  if (way == 1) {
    pthread_cancel(pthread_self());
    pthread_testcancel();
  }
  if (way == 2) siglongjmp(outside, 1);
}
static void* TryOnce(void* unused) {
  if (sigsetjmp(outside, 1) == 0) pthread_once(&left, Leave);
  return unused;
}
// A routine that is left runs again, and what it held is not held.
static void Left(void) {
  calls = 0;
  for (way = 0; way < 4; ++way) {
    void* result = InThread(TryOnce, (void*)20);
    Print("way %d: %s, calls %d\n", way,
          result == PTHREAD_CANCELED ? "cancelled" : result == (void*)21 ? "exited" : "returned",
          calls);
  }
  SHOW(pthread_once(&left, Leave));
  Print("calls %d\n", calls);
}

static pthread_once_t forking = PTHREAD_ONCE_INIT, within = PTHREAD_ONCE_INIT;
static pid_t child;
static void Fork(void) {
  pthread_once(&within, Count);
  fflush(stdout);
  child = fork();
  if (child == 0) alarm(60);
  Count();
}
static void Forked(void) {
  calls = 0;
  const int result = pthread_once(&forking, Fork);
  const int again = pthread_once(&forking, Count) + pthread_once(&within, Count);
  if (child == 0) _exit(result * 100 + again * 10 + calls);
  int status = 0;
  if (waitpid(child, &status, 0) != child) abort();
  Print("parent %d and %d, calls %d; child %d\n", result, again, calls, WEXITSTATUS(status));
}

int __cxa_guard_acquire(uint64_t*);
void __cxa_guard_release(uint64_t*);
void __cxa_guard_abort(uint64_t*);

static int Initialised(const uint64_t* guard) { return *(const unsigned char*)guard; }
static uint64_t guards[100];
static atomic_int initialised;
static void* Initialise(void* unused) {
  ++ready;
  while (ready < 4) sched_yield();
  for (int i = 0; i < 100; ++i) {
    if (!__cxa_guard_acquire(&guards[i])) continue;
    Count();
    ++initialised;
    if (i % 3 == 0 && initialised % 2 == 0) {
      __cxa_guard_abort(&guards[i]);
      --i;
    } else {
      __cxa_guard_release(&guards[i]);
    }
  }
  return unused;
}
static void Guards(void) {
  uint64_t guard = 0;
  pthread_t threads[4];
  int done = 0;
  SHOW_VALUE(__cxa_guard_acquire(&guard));
  Print("initialised %d\n", Initialised(&guard));
  __cxa_guard_abort(&guard);
  Print("initialised %d\n", Initialised(&guard));
  SHOW_VALUE(__cxa_guard_acquire(&guard));
  __cxa_guard_release(&guard);
  Print("initialised %d\n", Initialised(&guard));
  SHOW_VALUE(__cxa_guard_acquire(&guard));
  ready = 0;
  for (int i = 0; i < 4; ++i) pthread_create(&threads[i], NULL, Initialise, NULL);
  for (int i = 0; i < 4; ++i) pthread_join(threads[i], NULL);
  for (int i = 0; i < 100; ++i) done += Initialised(&guards[i]);
  Print("all initialised: %d\n", done);
}

const struct Row kOnceRows[] = {
    {"pthread_once call_once", "once: values", Values},
    {"pthread_once", "once: within each other", Nested},
    {"pthread_once", "once: from several threads at once", Raced},
    {"pthread_once", "once: a routine that does not return", Left},
    {"pthread_once fork", "once: a routine that forks", Forked},
    {"__cxa_guard_acquire __cxa_guard_release __cxa_guard_abort", "guards of static objects",
     Guards},
    {0}};
