// What the programs of the corpus share. Each is one situation, in C, C++ or Python, unmodified
// by anything of ours; its first line says what must be found in it:
//
//   // expect: nothing           no finding at all, and the exit code is 0
//   // expect: no deadlock       ends by itself with 0; misuse or predictions may be told
//   // expect: misuse SORT, SORT  ends by itself with 0; these findings of misuse and no other
//   // expect: KIND              exactly one finding, of that kind (and an abort, if it hangs)
//   // expect: KIND or KIND      the same, and which of them is a matter of timing
//
// Threads meet at barriers, so that a situation is certain, and where being asleep is the
// situation, its other side looks for that. A nap is there only where a situation has to stand
// for longer than a reader needs to look twice.
#pragma once
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { kStandMilliseconds = 700 };

static inline void nap(long milliseconds) {
  struct timespec left = {milliseconds / 1000, milliseconds % 1000 * 1000000L};
  while (nanosleep(&left, &left) != 0 && errno == EINTR) {
  }
}

// The situation stands.
static inline void stand(void) { nap(kStandMilliseconds); }

static inline struct timespec in_milliseconds(clockid_t clock, long milliseconds) {
  struct timespec t;
  clock_gettime(clock, &t);
  t.tv_sec += milliseconds / 1000;
  t.tv_nsec += milliseconds % 1000 * 1000000L;
  if (t.tv_nsec >= 1000000000L) {
    t.tv_nsec -= 1000000000L;
    ++t.tv_sec;
  }
  return t;
}

static inline void check(int ok, const char* what) {
  if (ok) return;
  fprintf(stderr, "corpus: %s failed\n", what);
  _exit(3);
}
#define CHECK(condition) check((condition), #condition)

static inline pthread_t start(void* (*body)(void*), void* argument) {
  pthread_t thread;
  CHECK(pthread_create(&thread, NULL, body, argument) == 0);
  return thread;
}

static inline void join(pthread_t thread) { CHECK(pthread_join(thread, NULL) == 0); }

// Until the thread that writes its tid there sleeps in a futex call, which has to be its only
// one by then.
static inline void until_asleep(const volatile pid_t* tid) {
  for (int number = 0; number != SYS_futex;) {
    char path[64];
    snprintf(path, sizeof(path), "/proc/self/task/%d/syscall", *tid);
    FILE* const file = *tid == 0 ? NULL : fopen(path, "r");
    if (file == NULL || fscanf(file, "%d", &number) != 1) number = 0;  // "running"
    if (file != NULL) fclose(file);
    if (number != SYS_futex) nap(1);
  }
}

static inline pthread_barrier_t barrier_of(unsigned threads) {
  pthread_barrier_t barrier;
  CHECK(pthread_barrier_init(&barrier, NULL, threads) == 0);
  return barrier;
}

// Memory that a forked child shares with its parent.
static inline void* shared_memory(size_t size) {
  void* memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  CHECK(memory != MAP_FAILED);
  return memory;
}
