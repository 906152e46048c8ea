// expect: deadlock
// Two semaphores used as locks are taken crosswise.
#include "../corpus.h"

static sem_t lock[2];
static pthread_barrier_t both;

static void* cross(void* side) {
  const int mine = side != NULL;
  sem_wait(&lock[mine]);
  pthread_barrier_wait(&both);
  sem_wait(&lock[!mine]);
  return NULL;
}

int main(void) {
  sem_init(&lock[0], 0, 1);
  sem_init(&lock[1], 0, 1);
  both = barrier_of(2);
  const pthread_t one = start(cross, NULL), two = start(cross, &lock);
  join(one);
  join(two);
  return 0;
}
