// expect: nothing
// Two locks each of two objects, taken one way of the one and the other way of the other: the
// classes are in a cycle, no two locks are. (predict=classes tells that.)
#include "../corpus.h"

struct Object {
  pthread_mutex_t data, log;
};
static struct Object source, sink;

__attribute__((noinline)) static void initialise(struct Object* object) {
  CHECK(pthread_mutex_init(&object->data, NULL) == 0);
  CHECK(pthread_mutex_init(&object->log, NULL) == 0);
}

static void* reads(void* unused) {
  pthread_mutex_lock(&source.data);
  pthread_mutex_lock(&source.log);
  pthread_mutex_unlock(&source.log);
  pthread_mutex_unlock(&source.data);
  return unused;
}

static void* writes(void* unused) {
  pthread_mutex_lock(&sink.log);
  pthread_mutex_lock(&sink.data);
  pthread_mutex_unlock(&sink.data);
  pthread_mutex_unlock(&sink.log);
  return unused;
}

int main(void) {
  initialise(&source);
  initialise(&sink);
  const pthread_t one = start(reads, NULL), two = start(writes, NULL);
  join(one);
  join(two);
  return 0;
}
