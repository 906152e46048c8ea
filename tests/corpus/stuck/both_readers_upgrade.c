// expect: deadlock or self_deadlock
// Two readers of one read-write lock both ask to write it. The first to ask waits for itself
// already, and the other may be late.
#include "../corpus.h"

static pthread_rwlock_t lock = PTHREAD_RWLOCK_INITIALIZER;
static pthread_barrier_t both;

static void* upgrade(void* unused) {
  pthread_rwlock_rdlock(&lock);
  pthread_barrier_wait(&both);
  pthread_rwlock_wrlock(&lock);
  return unused;
}

int main(void) {
  both = barrier_of(2);
  const pthread_t one = start(upgrade, NULL), two = start(upgrade, NULL);
  join(one);
  join(two);
  return 0;
}
