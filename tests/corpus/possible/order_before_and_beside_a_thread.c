// expect: potential_deadlock
// The order that is harmless while there is one thread is taken again when there are two: its
// first time must not hide the others. The twin is silent/ordered_by_join.c.
#include "../corpus.h"

static pthread_mutex_t a = PTHREAD_MUTEX_INITIALIZER, b = PTHREAD_MUTEX_INITIALIZER;
static pthread_barrier_t done;

static void nest(pthread_mutex_t* outer, pthread_mutex_t* inner) {
  pthread_mutex_lock(outer);
  pthread_mutex_lock(inner);
  pthread_mutex_unlock(inner);
  pthread_mutex_unlock(outer);
}

static void* back(void* unused) {
  nest(&b, &a);
  pthread_barrier_wait(&done);
  return unused;
}

int main(void) {
  done = barrier_of(2);
  nest(&a, &b);
  const pthread_t thread = start(back, NULL);
  pthread_barrier_wait(&done);  // only luck: nothing else keeps them apart
  nest(&a, &b);
  join(thread);
  nest(&a, &b);
  return 0;
}
