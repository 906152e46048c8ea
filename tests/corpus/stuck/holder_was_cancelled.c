// expect: deadlock
// A thread is cancelled while it holds a mutex that another one wants, and no cleanup handler
// releases it.
#include "../corpus.h"

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static sem_t never;
static pthread_barrier_t both;

static void* holds(void* unused) {
  pthread_mutex_lock(&mutex);
  pthread_barrier_wait(&both);
  sem_wait(&never);
  return unused;
}

int main(void) {
  CHECK(sem_init(&never, 0, 0) == 0);
  both = barrier_of(2);
  const pthread_t holder = start(holds, NULL);
  pthread_barrier_wait(&both);
  CHECK(pthread_cancel(holder) == 0);
  join(holder);
  pthread_mutex_lock(&mutex);
  return 0;
}
