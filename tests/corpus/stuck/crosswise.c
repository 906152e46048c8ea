// expect: deadlock
// Two threads take two mutexes crosswise.
#include "../corpus.h"

static pthread_mutex_t lock[2] = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_MUTEX_INITIALIZER};
static pthread_barrier_t both;

static void* cross(void* side) {
  const int mine = side != NULL;
  pthread_mutex_lock(&lock[mine]);
  pthread_barrier_wait(&both);
  pthread_mutex_lock(&lock[!mine]);
  return NULL;
}

int main(void) {
  both = barrier_of(2);
  const pthread_t one = start(cross, NULL), two = start(cross, &lock);
  join(one);
  join(two);
  return 0;
}
