// expect: deadlock
// Priority-inheriting mutexes crosswise: the kernel refuses to close the ring, and libc then
// sleeps for ever.
#include "../corpus.h"

static pthread_mutex_t lock[2];
static pthread_barrier_t both;

static void* cross(void* side) {
  const int mine = side != NULL;
  pthread_mutex_lock(&lock[mine]);
  pthread_barrier_wait(&both);
  pthread_mutex_lock(&lock[!mine]);
  return NULL;
}

int main(void) {
  pthread_mutexattr_t inherit;
  pthread_mutexattr_init(&inherit);
  CHECK(pthread_mutexattr_setprotocol(&inherit, PTHREAD_PRIO_INHERIT) == 0);
  pthread_mutex_init(&lock[0], &inherit);
  pthread_mutex_init(&lock[1], &inherit);
  both = barrier_of(2);
  const pthread_t one = start(cross, NULL), two = start(cross, &lock);
  join(one);
  join(two);
  return 0;
}
