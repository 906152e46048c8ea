// expect: nothing
// Three threads join each other in a row, the last of which sleeps and ends.
#include "../corpus.h"

static pthread_t threads[3];
static pthread_barrier_t all;

static void* joins_next(void* which) {
  pthread_barrier_wait(&all);
  if ((long)which == 2) {
    stand();
  } else {
    join(threads[(long)which + 1]);
  }
  return NULL;
}

int main(void) {
  all = barrier_of(4);
  for (long i = 0; i < 3; ++i) threads[i] = start(joins_next, (void*)i);
  pthread_barrier_wait(&all);
  join(threads[0]);
  return 0;
}
