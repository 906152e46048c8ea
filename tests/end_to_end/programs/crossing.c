// Two threads that take two mutexes crosswise, for certain: each says when it is about to
// block, in nanoseconds of CLOCK_REALTIME, so that a test can tell how long the report took.
//
//   crossing                     deadlocks
//   crossing fork                forks first; the child deadlocks, the parent waits for it
//   crossing setuid              as root: becomes nobody first (and so undumpable)
#define _GNU_SOURCE
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { kNobody = 65534 };

static pthread_mutex_t first = PTHREAD_MUTEX_INITIALIZER;
static pthread_mutex_t second = PTHREAD_MUTEX_INITIALIZER;
static pthread_barrier_t both_hold_one;

static void say_when(void) {
  struct timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  printf("blocking %lld\n", (long long)now.tv_sec * 1000000000 + now.tv_nsec);
  fflush(stdout);
}

static void cross(pthread_mutex_t* mine, pthread_mutex_t* other) {
  pthread_mutex_lock(mine);
  pthread_barrier_wait(&both_hold_one);
  say_when();
  pthread_mutex_lock(other);
  pthread_mutex_unlock(other);
  pthread_mutex_unlock(mine);
}

static void* up(void* unused) {
  cross(&first, &second);
  return unused;
}

static void* down(void* unused) {
  cross(&second, &first);
  return unused;
}

static int deadlock(void) {
  pthread_t a, b;
  pthread_barrier_init(&both_hold_one, NULL, 2);
  if (pthread_create(&a, NULL, up, NULL) != 0 || pthread_create(&b, NULL, down, NULL) != 0) {
    return 1;
  }
  pthread_join(a, NULL);
  pthread_join(b, NULL);
  return 0;
}

int main(int argc, char** argv) {
  const char* mode = argc > 1 ? argv[1] : "";
  if (strcmp(mode, "setuid") == 0) {
    if (setgid(kNobody) != 0 || setuid(kNobody) != 0) return 2;
  }
  if (strcmp(mode, "fork") == 0) {
    const pid_t child = fork();
    if (child < 0) return 2;
    if (child > 0) {
      int status = 0;
      printf("child %d\n", (int)child);
      fflush(stdout);
      waitpid(child, &status, 0);
      return 0;
    }
    prctl(PR_SET_PDEATHSIG, SIGKILL);  // a test that gives up leaves nothing behind
  }
  return deadlock();
}
