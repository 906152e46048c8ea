// expect: no deadlock
// Two semaphores used as locks and taken crosswise; then a timer sends an ordinary signal, whose
// handler posts one of them.
#include "../corpus.h"

static sem_t a, b;
static pthread_barrier_t both;

static void on_signal(int number) {
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
  sem_post(mine);
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
  CHECK(signal(SIGUSR1, on_signal) != SIG_ERR);
  struct sigevent event = {0};
  event.sigev_notify = SIGEV_SIGNAL;
  event.sigev_signo = SIGUSR1;
  timer_t timer;
  CHECK(timer_create(CLOCK_MONOTONIC, &event, &timer) == 0);
  const struct itimerspec once = {{0, 0}, {0, kStandMilliseconds * 1000000L}};
  CHECK(timer_settime(timer, 0, &once, NULL) == 0);
  const pthread_t one = start(cross, NULL), two = start(cross, &a);
  join(one);
  join(two);
  return 0;
}
