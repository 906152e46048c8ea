// expect: no deadlock
// Mutexes used as semaphores: whoever locks one never unlocks it, another thread does. Once
// that was seen, an owner proves nothing.
#include "../corpus.h"

static pthread_mutex_t a = PTHREAD_MUTEX_INITIALIZER, b = PTHREAD_MUTEX_INITIALIZER;
static pthread_barrier_t three;

static void* cross(void* side) {
  pthread_mutex_t* mine = side ? &b : &a;
  pthread_mutex_t* other = side ? &a : &b;
  pthread_mutex_lock(mine);
  pthread_barrier_wait(&three);  // main unlocks it
  pthread_barrier_wait(&three);
  pthread_mutex_lock(mine);
  pthread_barrier_wait(&three);
  pthread_mutex_lock(other);  // until main unlocks it
  return NULL;
}

int main(void) {
  three = barrier_of(3);
  const pthread_t one = start(cross, NULL), two = start(cross, &a);
  pthread_barrier_wait(&three);
  pthread_mutex_unlock(&a);
  pthread_mutex_unlock(&b);
  pthread_barrier_wait(&three);
  pthread_barrier_wait(&three);
  stand();
  pthread_mutex_unlock(&a);
  pthread_mutex_unlock(&b);
  join(one);
  join(two);
  return 0;
}
