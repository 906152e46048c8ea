// expect: nothing
// Threads that are joined under a lock, none of which can wait for it for ever: one takes another
// lock, one only tries, one gives up, one reads what is only read; and one is joined later.
#include "../corpus.h"

static pthread_mutex_t held = PTHREAD_MUTEX_INITIALIZER, other = PTHREAD_MUTEX_INITIALIZER;
static pthread_rwlock_t read_only = PTHREAD_RWLOCK_INITIALIZER;

static void* takes_another(void* unused) {
  pthread_mutex_lock(&other);
  pthread_mutex_unlock(&other);
  return unused;
}

static void* tries(void* unused) {
  if (pthread_mutex_trylock(&held) == 0) pthread_mutex_unlock(&held);
  return unused;
}

static void* gives_up(void* unused) {
  const struct timespec limit = in_milliseconds(CLOCK_REALTIME, 50);
  if (pthread_mutex_timedlock(&held, &limit) == 0) pthread_mutex_unlock(&held);
  return unused;
}

static void* reads(void* unused) {
  pthread_rwlock_rdlock(&read_only);
  pthread_rwlock_unlock(&read_only);
  return unused;
}

static void* takes_it(void* unused) {
  pthread_mutex_lock(&held);
  pthread_mutex_unlock(&held);
  return unused;
}

int main(void) {
  void* (*const bodies[])(void*) = {takes_another, tries, gives_up, reads};
  enum { kBodies = sizeof(bodies) / sizeof(bodies[0]) };
  pthread_t threads[kBodies];
  for (int i = 0; i < kBodies; ++i) threads[i] = start(bodies[i], NULL);
  const pthread_t last = start(takes_it, NULL);
  stand();
  pthread_rwlock_rdlock(&read_only);
  pthread_mutex_lock(&held);
  for (int i = 0; i < kBodies; ++i) join(threads[i]);
  pthread_mutex_unlock(&held);
  pthread_rwlock_unlock(&read_only);
  join(last);
  return 0;
}
