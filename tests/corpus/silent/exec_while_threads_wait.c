// expect: nothing
// A thread that holds a lock others wait for replaces the program by itself; the new image
// uses the same addresses.
#include "../corpus.h"

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static char* self;

static void* replaces(void* unused) {
  pthread_mutex_lock(&mutex);
  nap(200);
  execl(self, self, "again", (char*)NULL);
  return unused;
}

static void* holds(void* unused) {
  pthread_mutex_lock(&mutex);
  stand();
  pthread_mutex_unlock(&mutex);
  return unused;
}

int main(int argc, char** argv) {
  self = argv[0];
  const pthread_t thread = start(argc > 1 ? holds : replaces, NULL);
  nap(100);
  pthread_mutex_lock(&mutex);
  pthread_mutex_unlock(&mutex);
  join(thread);
  return 0;
}
