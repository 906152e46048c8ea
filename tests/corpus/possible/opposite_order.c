// expect: potential_deadlock
// Two threads take two mutexes in opposite order, at different times.
#include "../corpus.h"

static pthread_mutex_t a = PTHREAD_MUTEX_INITIALIZER, b = PTHREAD_MUTEX_INITIALIZER;

static void* forth(void* unused) {
  pthread_mutex_lock(&a);
  pthread_mutex_lock(&b);
  pthread_mutex_unlock(&b);
  pthread_mutex_unlock(&a);
  return unused;
}

static void* back(void* unused) {
  stand();  // nothing but time keeps them apart
  pthread_mutex_lock(&b);
  pthread_mutex_lock(&a);
  pthread_mutex_unlock(&a);
  pthread_mutex_unlock(&b);
  return unused;
}

int main(void) {
  const pthread_t one = start(forth, NULL), two = start(back, NULL);
  join(one);
  join(two);
  return 0;
}
