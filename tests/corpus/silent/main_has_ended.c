// expect: nothing
// The main thread has called pthread_exit; the others live on, hand a lock around and wait
// for each other.
#include "../corpus.h"

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static sem_t done;

static void* works(void* unused) {
  pthread_mutex_lock(&mutex);
  stand();
  pthread_mutex_unlock(&mutex);
  sem_post(&done);
  return unused;
}

static void* last(void* unused) {
  for (int i = 0; i < 2; ++i) sem_wait(&done);
  exit(0);
  return unused;
}

int main(void) {
  sem_init(&done, 0, 0);
  start(works, NULL);
  start(works, NULL);
  start(last, NULL);
  pthread_exit(NULL);
}
