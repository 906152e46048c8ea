// expect: nothing
// Daemons that sleep until somebody outside sends SIGTERM: in sigwait, in pause, and in
// sem_wait with a handler that posts.
#include "../corpus.h"

static sem_t stop;

static void on_term(int number) {
  (void)number;
  sem_post(&stop);
}

static int in_sigwait(void) {
  sigset_t set;
  int number;
  sigemptyset(&set);
  sigaddset(&set, SIGTERM);
  sigprocmask(SIG_BLOCK, &set, NULL);
  return sigwait(&set, &number) != 0 || number != SIGTERM;
}

static int in_pause(void) {
  signal(SIGTERM, on_term);
  pause();
  return 0;
}

static int in_sem_wait(void) {
  sem_init(&stop, 0, 0);
  signal(SIGTERM, on_term);
  while (sem_wait(&stop) != 0) {
  }
  return 0;
}

int main(void) {
  int (*const daemons[])(void) = {in_sigwait, in_pause, in_sem_wait};
  pid_t child[3];
  for (int i = 0; i < 3; ++i) {
    child[i] = fork();
    if (child[i] == 0) _exit(daemons[i]());
  }
  stand();
  for (int i = 0; i < 3; ++i) {
    int status = 0;
    kill(child[i], SIGTERM);
    CHECK(waitpid(child[i], &status, 0) == child[i]);
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
  }
  return 0;
}
