// expect: nothing
// Semaphores in opposite order that are no locks: one counts two units, the other is posted by a
// thread that took none.
#include "../corpus.h"

static sem_t a, b, c, d;

static void* forth(void* unused) {
  sem_wait(&a);
  sem_wait(&b);
  sem_post(&b);
  sem_post(&a);
  sem_wait(&c);
  sem_wait(&d);
  sem_post(&d);
  sem_post(&c);
  return unused;
}

static void* back(void* unused) {
  stand();
  sem_wait(&b);
  sem_wait(&a);
  sem_post(&a);
  sem_post(&b);
  sem_wait(&d);
  sem_wait(&c);
  sem_post(&c);
  sem_post(&d);
  return unused;
}

int main(void) {
  CHECK(sem_init(&a, 0, 2) == 0 && sem_init(&b, 0, 2) == 0);
  CHECK(sem_init(&c, 0, 1) == 0 && sem_init(&d, 0, 1) == 0);
  const pthread_t one = start(forth, NULL), two = start(back, NULL);
  sem_post(&c);  // whoever waits for it is given a unit from outside
  sem_post(&d);
  join(one);
  join(two);
  return 0;
}
