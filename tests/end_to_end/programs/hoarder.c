// Holds more locks at once than a thread's held list has room for, says so, and waits for
// its standard input to end. Then it takes two locks in both orders, in threads that take
// turns, so that there is a finding to report as well.
#include <pthread.h>
#include <stdio.h>

enum { kLocks = 600 };

static pthread_mutex_t hoard[kLocks];
static pthread_barrier_t turn;

static void take(pthread_mutex_t* outer, pthread_mutex_t* inner) {
  pthread_mutex_lock(outer);
  pthread_mutex_lock(inner);
  pthread_mutex_unlock(inner);
  pthread_mutex_unlock(outer);
}

static void* down(void* unused) {
  pthread_barrier_wait(&turn);
  take(&hoard[1], &hoard[0]);
  return unused;
}

int main(void) {
  pthread_t thread;
  pthread_barrier_init(&turn, NULL, 2);
  if (pthread_create(&thread, NULL, down, NULL) != 0) return 1;
  for (int i = 0; i < kLocks; ++i) {
    pthread_mutex_init(&hoard[i], NULL);
    pthread_mutex_lock(&hoard[i]);
  }
  puts("holding");
  fflush(stdout);
  while (getchar() != EOF) continue;
  for (int i = kLocks - 1; i >= 0; --i) pthread_mutex_unlock(&hoard[i]);
  take(&hoard[0], &hoard[1]);
  pthread_barrier_wait(&turn);
  pthread_join(thread, NULL);
  return 0;
}
