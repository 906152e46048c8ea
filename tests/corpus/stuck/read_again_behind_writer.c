// expect: deadlock
// A reader asks again behind a waiting writer, on a lock that lets writers go first.
#include "../corpus.h"

static pthread_rwlock_t lock;
static pthread_barrier_t reading;
static volatile pid_t writing;

static void* writer(void* unused) {
  pthread_barrier_wait(&reading);
  writing = gettid();
  pthread_rwlock_wrlock(&lock);
  return unused;
}

int main(void) {
  pthread_rwlockattr_t kind;
  pthread_rwlockattr_init(&kind);
  pthread_rwlockattr_setkind_np(&kind, PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP);
  CHECK(pthread_rwlock_init(&lock, &kind) == 0);
  reading = barrier_of(2);
  const pthread_t thread = start(writer, NULL);
  pthread_rwlock_rdlock(&lock);
  pthread_barrier_wait(&reading);
  until_asleep(&writing);
  pthread_rwlock_rdlock(&lock);
  join(thread);
  return 0;
}
