// expect: nothing
// A child process that shares all memory (clone with CLONE_VM, no thread) posts.
#include "../corpus.h"

#include <sched.h>

static sem_t done;
static char stack[65536] __attribute__((aligned(16)));

static int body(void* unused) {
  (void)unused;
  nap(kStandMilliseconds);
  sem_post(&done);
  _exit(0);
}

int main(void) {
  sem_init(&done, 0, 0);
  const pid_t child = clone(body, stack + sizeof stack, CLONE_VM | SIGCHLD, NULL);
  CHECK(child > 0);
  while (sem_wait(&done) != 0) {
  }
  CHECK(waitpid(child, NULL, 0) == child);
  return 0;
}
