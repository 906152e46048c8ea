// expect: nothing
// A thread made by the raw clone system call posts; no hook ever sees it.
#include "../corpus.h"

#include <sched.h>

static sem_t done;
static char stack[65536] __attribute__((aligned(16)));

static int body(void* unused) {
  (void)unused;
  nap(kStandMilliseconds);
  sem_post(&done);
  for (;;) pause();
  return 0;
}

int main(void) {
  sem_init(&done, 0, 0);
  CHECK(clone(body, stack + sizeof stack,
              CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD | CLONE_SYSVSEM,
              NULL) > 0);
  while (sem_wait(&done) != 0) {
  }
  _exit(0);
}
