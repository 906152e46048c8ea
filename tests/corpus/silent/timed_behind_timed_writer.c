// expect: no deadlock
// A reader asks again behind a writer that gives up: writers go first, but this one has a
// time limit.
#include "../corpus.h"

static pthread_rwlock_t lock;
static pthread_barrier_t reading;

static void* writer(void* unused) {
  pthread_barrier_wait(&reading);
  const struct timespec limit = in_milliseconds(CLOCK_REALTIME, 2 * kStandMilliseconds);
  CHECK(pthread_rwlock_timedwrlock(&lock, &limit) == ETIMEDOUT);
  return unused;
}

int main(void) {
  pthread_rwlockattr_t kind;
  pthread_rwlockattr_init(&kind);
  pthread_rwlockattr_setkind_np(&kind, PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP);
  CHECK(pthread_rwlock_init(&lock, &kind) == 0);
  reading = barrier_of(2);
  const pthread_t thread = start(writer, NULL);
  CHECK(pthread_rwlock_rdlock(&lock) == 0);
  pthread_barrier_wait(&reading);
  stand();  // until the writer waits
  CHECK(pthread_rwlock_rdlock(&lock) == 0);
  CHECK(pthread_rwlock_unlock(&lock) == 0);
  CHECK(pthread_rwlock_unlock(&lock) == 0);
  join(thread);
  return 0;
}
