// expect: nothing
// A reader asks again behind a waiting writer, on a lock as it is by default: readers go first.
#include "../corpus.h"

static pthread_rwlock_t rwlock = PTHREAD_RWLOCK_INITIALIZER;

static volatile pid_t writing;

static void* writes(void* unused) {
  writing = gettid();
  pthread_rwlock_wrlock(&rwlock);
  pthread_rwlock_unlock(&rwlock);
  return unused;
}

int main(void) {
  pthread_rwlock_rdlock(&rwlock);
  const pthread_t writer = start(writes, NULL);
  until_asleep(&writing);
  CHECK(pthread_rwlock_rdlock(&rwlock) == 0);
  stand();
  pthread_rwlock_unlock(&rwlock);
  pthread_rwlock_unlock(&rwlock);
  join(writer);
  return 0;
}
