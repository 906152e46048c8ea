// expect: nothing
// Two threads wait at a barrier for three, and the third takes its time.
#include "../corpus.h"

static pthread_barrier_t three;

static void* arrives(void* late) {
  if (late) stand();
  pthread_barrier_wait(&three);
  return NULL;
}

int main(void) {
  three = barrier_of(3);
  const pthread_t one = start(arrives, NULL), two = start(arrives, NULL);
  const pthread_t last = start(arrives, &three);
  join(one);
  join(two);
  join(last);
  return 0;
}
