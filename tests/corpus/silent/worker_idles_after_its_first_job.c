// expect: nothing
// A job was put, and signalled, before the worker waited, by a thread that has ended. The worker
// did it, and idles until another thread brings the next one; main joins the worker.
#include "../corpus.h"

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t filled = PTHREAD_COND_INITIALIZER;
static int jobs;

static void* brings(void* late) {
  if (late) nap(3 * kStandMilliseconds);
  pthread_mutex_lock(&mutex);
  ++jobs;
  pthread_cond_signal(&filled);
  pthread_mutex_unlock(&mutex);
  return NULL;
}

static void* works(void* unused) {
  for (int done = 0; done < 2; ++done) {
    pthread_mutex_lock(&mutex);
    while (jobs == 0) pthread_cond_wait(&filled, &mutex);
    --jobs;
    pthread_mutex_unlock(&mutex);
  }
  return unused;
}

int main(void) {
  join(start(brings, NULL));
  const pthread_t later = start(brings, &jobs);
  join(start(works, NULL));
  join(later);
  return 0;
}
