// expect: misuse unlock_not_owner, unlock_not_owner, unlock_not_owner
// A mutex, a writer's lock and a reader's are unlocked by a thread that did not take them,
// each again and again at one place, which is told once.
#include "../corpus.h"

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_rwlock_t written = PTHREAD_RWLOCK_INITIALIZER, read_lock = PTHREAD_RWLOCK_INITIALIZER;
static pthread_barrier_t both;

static void* holds(void* unused) {
  for (int i = 0; i < 100; ++i) {
    pthread_mutex_lock(&mutex);
    pthread_rwlock_wrlock(&written);
    pthread_rwlock_rdlock(&read_lock);
    pthread_barrier_wait(&both);
    pthread_barrier_wait(&both);  // main has unlocked them
  }
  return unused;
}

// glibc takes a writer's lock that another thread unlocks for a reader's; made anew, it is
// usable again.
static void release_written(void) {
  pthread_rwlock_unlock(&written);
  memset(&written, 0, sizeof written);
}

int main(void) {
  both = barrier_of(2);
  const pthread_t thread = start(holds, NULL);
  for (int i = 0; i < 100; ++i) {
    pthread_barrier_wait(&both);
    pthread_mutex_unlock(&mutex);
    release_written();
    pthread_rwlock_unlock(&read_lock);
    pthread_barrier_wait(&both);
  }
  join(thread);
  return 0;
}
