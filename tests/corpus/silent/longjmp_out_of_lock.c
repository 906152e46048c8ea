// expect: no deadlock
// A handler jumps out of a thread that waits for a mutex, and the cycle is open.
#include <setjmp.h>

#include "../corpus.h"

static pthread_mutex_t a = PTHREAD_MUTEX_INITIALIZER, b = PTHREAD_MUTEX_INITIALIZER;
static pthread_barrier_t both;
static sigjmp_buf out;

static void on_signal(int number) { siglongjmp(out, number); }

static void* gives_up(void* unused) {
  pthread_mutex_lock(&a);
  if (sigsetjmp(out, 1) == 0) {
    pthread_barrier_wait(&both);
    pthread_mutex_lock(&b);
  }
  pthread_mutex_unlock(&a);
  pthread_barrier_wait(&both);
  pthread_mutex_lock(&a);  // what it waited for then must not be believed now
  stand();
  pthread_mutex_unlock(&a);
  return unused;
}

static void* stays(void* unused) {
  pthread_mutex_lock(&b);
  pthread_barrier_wait(&both);
  pthread_barrier_wait(&both);
  stand();
  pthread_mutex_lock(&a);
  pthread_mutex_unlock(&a);
  pthread_mutex_unlock(&b);
  return unused;
}

int main(void) {
  both = barrier_of(2);
  CHECK(signal(SIGUSR1, on_signal) != SIG_ERR);
  const pthread_t one = start(gives_up, NULL), two = start(stays, NULL);
  nap(100);  // asleep on b: that is what the signal interrupts
  pthread_kill(one, SIGUSR1);
  join(one);
  join(two);
  return 0;
}
