// expect: misuse two_mutexes
// Two threads wait on one condition, each with a mutex of its own.
#include "../corpus.h"

static pthread_mutex_t a = PTHREAD_MUTEX_INITIALIZER, b = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static int waiting, done;

static void* waits(void* argument) {
  pthread_mutex_t* mutex = (pthread_mutex_t*)argument;
  pthread_mutex_lock(mutex);
  __atomic_add_fetch(&waiting, 1, __ATOMIC_SEQ_CST);
  while (!__atomic_load_n(&done, __ATOMIC_SEQ_CST)) pthread_cond_wait(&changed, mutex);
  pthread_mutex_unlock(mutex);
  return NULL;
}

int main(void) {
  const pthread_t one = start(waits, &a), two = start(waits, &b);
  while (__atomic_load_n(&waiting, __ATOMIC_SEQ_CST) < 2) nap(1);
  // Each has let go of its mutex, so it waits.
  pthread_mutex_lock(&a);
  pthread_mutex_lock(&b);
  __atomic_store_n(&done, 1, __ATOMIC_SEQ_CST);
  pthread_cond_broadcast(&changed);
  pthread_mutex_unlock(&b);
  pthread_mutex_unlock(&a);
  join(one);
  join(two);
  return 0;
}
