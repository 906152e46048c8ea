// expect: deadlock
// A ring over mutexes of five kinds: adaptive, error-checking, recursive, robust and
// process-shared.
#include "../corpus.h"

enum { kLocks = 5 };

static pthread_mutex_t lock[kLocks];
static pthread_barrier_t all;

static void* cross(void* argument) {
  const long i = (long)argument;
  pthread_mutex_lock(&lock[i]);
  pthread_barrier_wait(&all);
  pthread_mutex_lock(&lock[(i + 1) % kLocks]);
  return NULL;
}

int main(void) {
  pthread_mutexattr_t kind[kLocks];
  for (int i = 0; i < kLocks; ++i) pthread_mutexattr_init(&kind[i]);
  pthread_mutexattr_settype(&kind[0], PTHREAD_MUTEX_ADAPTIVE_NP);
  pthread_mutexattr_settype(&kind[1], PTHREAD_MUTEX_ERRORCHECK);
  pthread_mutexattr_settype(&kind[2], PTHREAD_MUTEX_RECURSIVE);
  pthread_mutexattr_setrobust(&kind[3], PTHREAD_MUTEX_ROBUST);
  pthread_mutexattr_setpshared(&kind[4], PTHREAD_PROCESS_SHARED);
  all = barrier_of(kLocks);
  pthread_t thread[kLocks];
  for (int i = 0; i < kLocks; ++i) pthread_mutex_init(&lock[i], &kind[i]);
  for (long i = 0; i < kLocks; ++i) thread[i] = start(cross, (void*)i);
  for (int i = 0; i < kLocks; ++i) join(thread[i]);
  return 0;
}
