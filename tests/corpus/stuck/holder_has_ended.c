// expect: deadlock
// A thread ends without releasing a mutex that others want.
#include "../corpus.h"

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;

static void* forgets(void* unused) {
  pthread_mutex_lock(&mutex);
  return unused;
}

int main(void) {
  join(start(forgets, NULL));
  pthread_mutex_lock(&mutex);
  return 0;
}
