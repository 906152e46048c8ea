// expect: deadlock
// A thread waits for a condition while it holds a lock that the one who would signal needs.
#include "../corpus.h"

static pthread_mutex_t outer = PTHREAD_MUTEX_INITIALIZER, inner = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t ready = PTHREAD_COND_INITIALIZER;
static int is_ready;
static pthread_barrier_t both;

static void* waits(void* unused) {
  pthread_mutex_lock(&outer);
  pthread_mutex_lock(&inner);
  pthread_barrier_wait(&both);
  while (!is_ready) pthread_cond_wait(&ready, &inner);
  return unused;
}

int main(void) {
  both = barrier_of(2);
  const pthread_t thread = start(waits, NULL);
  pthread_barrier_wait(&both);
  pthread_mutex_lock(&outer);
  pthread_mutex_lock(&inner);
  is_ready = 1;
  pthread_cond_signal(&ready);
  pthread_mutex_unlock(&inner);
  pthread_mutex_unlock(&outer);
  join(thread);
  return 0;
}
