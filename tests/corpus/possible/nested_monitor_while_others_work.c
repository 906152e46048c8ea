// expect: nested_monitor
// Who would signal a condition waits for a lock that the waiting thread holds, until a third
// thread signals in its stead.
#include "../corpus.h"

static pthread_mutex_t outer = PTHREAD_MUTEX_INITIALIZER, inner = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t filled = PTHREAD_COND_INITIALIZER;
static int items;
static pthread_barrier_t both;

static void put(void) {
  pthread_mutex_lock(&inner);
  ++items;
  pthread_cond_signal(&filled);
  pthread_mutex_unlock(&inner);
}

static void take(void) {
  pthread_mutex_lock(&inner);
  while (items == 0) pthread_cond_wait(&filled, &inner);
  --items;
  pthread_mutex_unlock(&inner);
}

static void* puts_under_the_outer_lock(void* unused) {
  put();
  pthread_barrier_wait(&both);
  pthread_barrier_wait(&both);
  pthread_mutex_lock(&outer);
  put();
  pthread_mutex_unlock(&outer);
  return unused;
}

static void* rescues(void* unused) {
  nap(4 * kStandMilliseconds);
  put();
  return unused;
}

int main(void) {
  both = barrier_of(2);
  const pthread_t signaller = start(puts_under_the_outer_lock, NULL);
  pthread_barrier_wait(&both);
  take();
  const pthread_t third = start(rescues, NULL);
  pthread_mutex_lock(&outer);
  pthread_barrier_wait(&both);
  take();
  pthread_mutex_unlock(&outer);
  join(signaller);
  join(third);
  return 0;
}
