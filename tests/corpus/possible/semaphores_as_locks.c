// expect: potential_deadlock
// Two semaphores of one unit each, used as locks, are taken in opposite order at different times.
// The twin is silent/semaphores_handed_over.c.
#include "../corpus.h"

static sem_t a, b;

static void* forth(void* unused) {
  sem_wait(&a);
  sem_wait(&b);
  sem_post(&b);
  sem_post(&a);
  return unused;
}

static void* back(void* unused) {
  stand();
  sem_wait(&b);
  sem_wait(&a);
  sem_post(&a);
  sem_post(&b);
  return unused;
}

int main(void) {
  CHECK(sem_init(&a, 0, 1) == 0 && sem_init(&b, 0, 1) == 0);
  const pthread_t one = start(forth, NULL), two = start(back, NULL);
  join(one);
  join(two);
  return 0;
}
