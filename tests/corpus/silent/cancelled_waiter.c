// expect: nothing
// Threads asleep in a condition, a semaphore and a join are cancelled; their locks are
// released by cleanup handlers and taken again by others.
#include "../corpus.h"

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t never = PTHREAD_COND_INITIALIZER;
static sem_t empty;

static void release(void* lock) { pthread_mutex_unlock((pthread_mutex_t*)lock); }

static void* waits(void* unused) {
  pthread_mutex_lock(&mutex);
  pthread_cleanup_push(release, &mutex);
  for (;;) pthread_cond_wait(&never, &mutex);
  pthread_cleanup_pop(1);
  return unused;
}

static void* takes(void* unused) {
  for (;;) sem_wait(&empty);
  return unused;
}

static void* joins(void* other) {
  pthread_join(*(pthread_t*)other, NULL);
  return NULL;
}

int main(void) {
  sem_init(&empty, 0, 0);
  const pthread_t one = start(waits, NULL);
  pthread_t two = start(takes, NULL);
  const pthread_t three = start(joins, &two);
  stand();
  pthread_cancel(three);
  join(three);
  pthread_cancel(two);
  join(two);
  pthread_mutex_lock(&mutex);
  pthread_cancel(one);
  stand();
  pthread_mutex_unlock(&mutex);
  join(one);
  return 0;
}
