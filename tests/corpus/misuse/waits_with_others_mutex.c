// expect: misuse unlock_not_owner
// A thread waits on a condition with a mutex that another one holds, and so releases it.
#include "../corpus.h"

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t never = PTHREAD_COND_INITIALIZER;
static pthread_barrier_t both;

static void* holds(void* unused) {
  pthread_mutex_lock(&mutex);
  pthread_barrier_wait(&both);
  pthread_barrier_wait(&both);  // it is main's now
  return unused;
}

int main(void) {
  both = barrier_of(2);
  const pthread_t thread = start(holds, NULL);
  pthread_barrier_wait(&both);
  const struct timespec soon = in_milliseconds(CLOCK_REALTIME, 50);
  CHECK(pthread_cond_timedwait(&never, &mutex, &soon) == ETIMEDOUT);
  pthread_mutex_unlock(&mutex);
  pthread_barrier_wait(&both);
  join(thread);
  return 0;
}
