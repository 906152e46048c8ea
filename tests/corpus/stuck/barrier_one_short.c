// expect: deadlock
// Two threads wait at a barrier for three.
#include "../corpus.h"

static pthread_barrier_t three;

static void* arrives(void* unused) {
  pthread_barrier_wait(&three);
  return unused;
}

int main(void) {
  three = barrier_of(3);
  const pthread_t one = start(arrives, NULL), two = start(arrives, NULL);
  join(one);
  join(two);
  return 0;
}
