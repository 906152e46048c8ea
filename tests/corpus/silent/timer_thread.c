// expect: nothing
// A POSIX timer with SIGEV_THREAD: the thread that will post is libc's own, made behind
// every hook's back.
#include "../corpus.h"

static sem_t tick;

static void on_timer(union sigval unused) {
  (void)unused;
  sem_post(&tick);
}

int main(void) {
  sem_init(&tick, 0, 0);
  struct sigevent event;
  memset(&event, 0, sizeof event);
  event.sigev_notify = SIGEV_THREAD;
  event.sigev_notify_function = on_timer;
  timer_t timer;
  CHECK(timer_create(CLOCK_MONOTONIC, &event, &timer) == 0);
  const struct itimerspec once = {{0, 0}, {0, kStandMilliseconds * 1000000L}};
  CHECK(timer_settime(timer, 0, &once, NULL) == 0);
  sem_wait(&tick);
  return 0;
}
