// expect: nothing
// The only thread sleeps in sem_wait until a timer's handler posts.
#include <sys/time.h>

#include "../corpus.h"

static sem_t tick;

static void on_alarm(int number) {
  (void)number;
  sem_post(&tick);
}

int main(void) {
  CHECK(sem_init(&tick, 0, 0) == 0);
  CHECK(signal(SIGALRM, on_alarm) != SIG_ERR);
  const struct itimerval once = {{0, 0}, {0, kStandMilliseconds * 1000}};
  CHECK(setitimer(ITIMER_REAL, &once, NULL) == 0);
  while (sem_wait(&tick) != 0) CHECK(errno == EINTR);
  return 0;
}
