// expect: no deadlock
// A thread ends while it holds a robust mutex that others wait for: the kernel hands it on.
#include "../corpus.h"

static pthread_mutex_t mutex;
static pthread_barrier_t both;

static void* dies(void* unused) {
  pthread_mutex_lock(&mutex);
  pthread_barrier_wait(&both);
  stand();
  return unused;
}

int main(void) {
  pthread_mutexattr_t robust;
  pthread_mutexattr_init(&robust);
  pthread_mutexattr_setrobust(&robust, PTHREAD_MUTEX_ROBUST);
  pthread_mutex_init(&mutex, &robust);
  both = barrier_of(2);
  const pthread_t thread = start(dies, NULL);
  pthread_barrier_wait(&both);
  CHECK(pthread_mutex_lock(&mutex) == EOWNERDEAD);
  stand();
  CHECK(pthread_mutex_consistent(&mutex) == 0);
  pthread_mutex_unlock(&mutex);
  join(thread);
  return 0;
}
