// expect: deadlock
// A timed condition wait is over, and its mutex is held by a thread that waits for a lock of
// the waiter's: relocking has no time limit.
#include "../corpus.h"

static pthread_mutex_t a = PTHREAD_MUTEX_INITIALIZER, b = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t never = PTHREAD_COND_INITIALIZER;
static pthread_barrier_t both;

static void* waits(void* unused) {
  pthread_mutex_lock(&a);
  pthread_mutex_lock(&b);
  pthread_barrier_wait(&both);
  const struct timespec limit = in_milliseconds(CLOCK_REALTIME, 300);
  pthread_cond_timedwait(&never, &b, &limit);
  return unused;
}

int main(void) {
  both = barrier_of(2);
  const pthread_t thread = start(waits, NULL);
  pthread_barrier_wait(&both);
  pthread_mutex_lock(&b);
  pthread_mutex_lock(&a);
  join(thread);
  return 0;
}
