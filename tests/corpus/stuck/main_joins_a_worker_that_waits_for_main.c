// expect: deadlock
// A worker waits until main says stop, and main joins it before it says so.
#include "../corpus.h"

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static int stop;

static void* works(void* unused) {
  pthread_mutex_lock(&mutex);
  while (!stop) pthread_cond_wait(&changed, &mutex);
  pthread_mutex_unlock(&mutex);
  return unused;
}

int main(void) {
  const pthread_t worker = start(works, NULL);
  join(worker);
  pthread_mutex_lock(&mutex);
  stop = 1;
  pthread_cond_signal(&changed);
  pthread_mutex_unlock(&mutex);
  return 0;
}
