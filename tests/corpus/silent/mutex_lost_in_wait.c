// expect: nothing
// A wait returns ENOTRECOVERABLE: it gave its robust mutex up and did not get it back. What
// the thread locks afterwards is not locked under that mutex, so there is no cycle with
// another thread that once took the two the other way round.
#include "../corpus.h"

static pthread_mutex_t lost, other = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t condition = PTHREAD_COND_INITIALIZER;
static pthread_barrier_t in_order, held, ended;

static void* takes_other_first(void* unused) {
  pthread_mutex_lock(&other);
  pthread_mutex_lock(&lost);
  pthread_mutex_unlock(&lost);
  pthread_mutex_unlock(&other);
  pthread_barrier_wait(&in_order);
  pthread_barrier_wait(&ended);
  return unused;
}

static void* loses(void* unused) {
  pthread_barrier_wait(&in_order);
  pthread_mutex_lock(&lost);
  pthread_barrier_wait(&held);
  CHECK(pthread_cond_wait(&condition, &lost) == ENOTRECOVERABLE);
  pthread_mutex_lock(&other);
  pthread_mutex_unlock(&other);
  pthread_barrier_wait(&ended);
  return unused;
}

static void* dies(void* unused) {
  pthread_mutex_lock(&lost);
  return unused;
}

int main(void) {
  pthread_mutexattr_t robust;
  pthread_mutexattr_init(&robust);
  pthread_mutexattr_setrobust(&robust, PTHREAD_MUTEX_ROBUST);
  pthread_mutex_init(&lost, &robust);
  in_order = barrier_of(2);
  held = barrier_of(2);
  ended = barrier_of(3);
  const pthread_t first = start(takes_other_first, NULL), loser = start(loses, NULL);
  pthread_barrier_wait(&held);  // the loser holds it: who dies below gets it from the wait
  join(start(dies, NULL));
  CHECK(pthread_mutex_lock(&lost) == EOWNERDEAD);
  CHECK(pthread_mutex_unlock(&lost) == 0);  // not made consistent
  pthread_cond_signal(&condition);
  pthread_barrier_wait(&ended);
  join(first);
  join(loser);
  return 0;
}
