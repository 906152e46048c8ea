// expect: nothing
// As a nested monitor, but a thread that needs no other lock signals the condition as well, in
// its own time.
#include "../corpus.h"

static pthread_mutex_t outer = PTHREAD_MUTEX_INITIALIZER, inner = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t filled = PTHREAD_COND_INITIALIZER;
static int items;
static pthread_barrier_t all;

static void put(void) {
  pthread_mutex_lock(&inner);
  ++items;
  pthread_cond_signal(&filled);
  pthread_mutex_unlock(&inner);
}

static void take(void) {
  pthread_mutex_lock(&inner);
  while (items == 0) pthread_cond_wait(&filled, &inner);
  --items;
  pthread_mutex_unlock(&inner);
}

static void* puts_under_the_outer_lock(void* unused) {
  put();
  pthread_barrier_wait(&all);
  pthread_barrier_wait(&all);
  pthread_mutex_lock(&outer);
  pthread_mutex_unlock(&outer);
  return unused;
}

static void* brings(void* unused) {
  put();
  pthread_barrier_wait(&all);
  pthread_barrier_wait(&all);
  nap(3 * kStandMilliseconds);
  put();
  return unused;
}

int main(void) {
  all = barrier_of(3);
  const pthread_t one = start(puts_under_the_outer_lock, NULL), two = start(brings, NULL);
  pthread_barrier_wait(&all);
  take();
  take();
  pthread_mutex_lock(&outer);
  pthread_barrier_wait(&all);
  take();
  pthread_mutex_unlock(&outer);
  join(one);
  join(two);
  return 0;
}
