// expect: lost_wakeup
// A thread that has ended signalled a condition before anybody waited for it; main joins the
// one that waits now, until a third thread signals in its stead.
#include "../corpus.h"

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t ready = PTHREAD_COND_INITIALIZER;
static sem_t done;

static void* signals(void* unused) {
  pthread_mutex_lock(&mutex);
  pthread_cond_signal(&ready);
  pthread_mutex_unlock(&mutex);
  return unused;
}

static void* waits(void* unused) {
  pthread_mutex_lock(&mutex);
  pthread_cond_wait(&ready, &mutex);
  pthread_mutex_unlock(&mutex);
  sem_post(&done);
  return unused;
}

static void* rescues(void* unused) {
  nap(4 * kStandMilliseconds);
  while (sem_trywait(&done) != 0) {
    pthread_cond_signal(&ready);
    nap(10);
  }
  return unused;
}

int main(void) {
  CHECK(sem_init(&done, 0, 0) == 0);
  join(start(signals, NULL));
  const pthread_t third = start(rescues, NULL);
  join(start(waits, NULL));
  join(third);
  return 0;
}
