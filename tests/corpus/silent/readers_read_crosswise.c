// expect: nothing
// Two threads read two locks, crosswise.
#include "../corpus.h"

static pthread_rwlock_t lock[2] = {PTHREAD_RWLOCK_INITIALIZER, PTHREAD_RWLOCK_INITIALIZER};

static void* cross(void* side) {
  const int mine = side != NULL;
  if (mine) stand();
  pthread_rwlock_rdlock(&lock[mine]);
  pthread_rwlock_rdlock(&lock[!mine]);
  pthread_rwlock_unlock(&lock[!mine]);
  pthread_rwlock_unlock(&lock[mine]);
  return NULL;
}

int main(void) {
  const pthread_t one = start(cross, NULL), two = start(cross, lock);
  join(one);
  join(two);
  return 0;
}
