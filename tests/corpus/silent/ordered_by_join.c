// expect: nothing
// Opposite orders that a creation or a join keeps apart: before a thread and in it, in it and
// after it, and in two threads one after the other.
#include "../corpus.h"

static pthread_mutex_t a = PTHREAD_MUTEX_INITIALIZER, b = PTHREAD_MUTEX_INITIALIZER;
static pthread_mutex_t c = PTHREAD_MUTEX_INITIALIZER, d = PTHREAD_MUTEX_INITIALIZER;
static pthread_mutex_t e = PTHREAD_MUTEX_INITIALIZER, f = PTHREAD_MUTEX_INITIALIZER;

static void nest(pthread_mutex_t* outer, pthread_mutex_t* inner) {
  pthread_mutex_lock(outer);
  pthread_mutex_lock(inner);
  pthread_mutex_unlock(inner);
  pthread_mutex_unlock(outer);
}

static void* first(void* unused) {
  nest(&b, &a);
  nest(&c, &d);
  nest(&e, &f);
  return unused;
}

static void* second(void* unused) {
  nest(&f, &e);
  return unused;
}

int main(void) {
  nest(&a, &b);
  join(start(first, NULL));
  nest(&d, &c);
  join(start(second, NULL));
  return 0;
}
