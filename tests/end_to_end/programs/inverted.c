// Takes two mutexes in both orders, in two threads that never overlap, and then ends:
//
//   inverted          with exit code 0
//   inverted N        with exit code N
//   inverted SIGKILL  by that signal, without a chance to say anything
//   inverted _exit    by _exit(0): no exit handler runs
//
// The threads stay alive side by side and hand a turn over, so that the order is luck.
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static pthread_mutex_t first = PTHREAD_MUTEX_INITIALIZER;
static pthread_mutex_t second = PTHREAD_MUTEX_INITIALIZER;
static atomic_int turn;

static void take(pthread_mutex_t* outer, pthread_mutex_t* inner) {
  pthread_mutex_lock(outer);
  pthread_mutex_lock(inner);
  pthread_mutex_unlock(inner);
  pthread_mutex_unlock(outer);
}

static void wait_for(int mine) {
  while (atomic_load(&turn) != mine) usleep(1000);
}

static void* up(void* unused) {
  take(&first, &second);
  atomic_store(&turn, 1);
  wait_for(2);
  return unused;
}

static void* down(void* unused) {
  wait_for(1);
  take(&second, &first);
  atomic_store(&turn, 2);
  return unused;
}

int main(int argc, char** argv) {
  pthread_t a, b;
  if (pthread_create(&a, NULL, up, NULL) != 0 || pthread_create(&b, NULL, down, NULL) != 0) {
    return 1;
  }
  pthread_join(a, NULL);
  pthread_join(b, NULL);
  if (argc < 2) return 0;
  if (strcmp(argv[1], "SIGKILL") == 0) raise(SIGKILL);
  if (strcmp(argv[1], "_exit") == 0) _exit(0);
  return atoi(argv[1]);
}
