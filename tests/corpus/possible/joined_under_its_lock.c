// expect: potential_deadlock
// A thread is joined under the mutex that it takes; it had done so by then. The twin is
// silent/joined_beside_its_lock.c.
#include "../corpus.h"

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;

static void* works(void* unused) {
  pthread_mutex_lock(&mutex);
  pthread_mutex_unlock(&mutex);
  return unused;
}

int main(void) {
  const pthread_t worker = start(works, NULL);
  stand();
  pthread_mutex_lock(&mutex);
  join(worker);
  pthread_mutex_unlock(&mutex);
  return 0;
}
