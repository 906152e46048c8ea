// expect: nothing
// main joins a worker that waits, as does everybody but a thread that sleeps and then tells it
// to stop, for the first time.
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

static void* tells(void* unused) {
  stand();
  pthread_mutex_lock(&mutex);
  stop = 1;
  pthread_cond_signal(&changed);
  pthread_mutex_unlock(&mutex);
  return unused;
}

int main(void) {
  const pthread_t ticker = start(tells, NULL), worker = start(works, NULL);
  join(worker);
  join(ticker);
  return 0;
}
