// expect: deadlock
// A thread is joined by one that holds the mutex it waits for.
#include "../corpus.h"

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;

static void* wants(void* unused) {
  pthread_mutex_lock(&mutex);
  pthread_mutex_unlock(&mutex);
  return unused;
}

int main(void) {
  pthread_mutex_lock(&mutex);
  join(start(wants, NULL));
  pthread_mutex_unlock(&mutex);
  return 0;
}
