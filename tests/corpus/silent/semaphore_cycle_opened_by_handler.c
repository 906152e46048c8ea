// expect: no deadlock
// Two semaphores used as locks and taken crosswise; then a timer's handler posts one.
#include <sys/time.h>

#include "../corpus.h"

static sem_t a, b;
static pthread_barrier_t both;

static void on_alarm(int number) {
  (void)number;
  sem_post(&a);
}

static void take(sem_t* semaphore) {
  while (sem_wait(semaphore) != 0) CHECK(errno == EINTR);
}

static void* cross(void* side) {
  sem_t* mine = side ? &b : &a;
  sem_t* other = side ? &a : &b;
  take(mine);
  pthread_barrier_wait(&both);
  take(other);
  sem_post(other);
  sem_post(mine);
  return NULL;
}

int main(void) {
  CHECK(sem_init(&a, 0, 1) == 0 && sem_init(&b, 0, 1) == 0);
  both = barrier_of(2);
  CHECK(signal(SIGALRM, on_alarm) != SIG_ERR);
  const struct itimerval once = {{0, 0}, {0, kStandMilliseconds * 1000}};
  CHECK(setitimer(ITIMER_REAL, &once, NULL) == 0);
  const pthread_t one = start(cross, NULL), two = start(cross, &a);
  join(one);
  join(two);
  return 0;
}
