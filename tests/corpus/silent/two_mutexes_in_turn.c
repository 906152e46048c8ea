// expect: nothing
// One condition is waited for with two mutexes, one after the other: that is allowed, since
// nobody waits with the first when the second one's turn comes.
#include "../corpus.h"

static pthread_mutex_t mutexes[2] = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_MUTEX_INITIALIZER};
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static int turn;

static void* waits(void* unused) {
  for (int i = 0; i < 50; ++i) {
    pthread_mutex_t* mutex = &mutexes[i % 2];
    pthread_mutex_lock(mutex);
    while (__atomic_load_n(&turn, __ATOMIC_SEQ_CST) <= i) pthread_cond_wait(&changed, mutex);
    pthread_mutex_unlock(mutex);
  }
  return unused;
}

int main(void) {
  const pthread_t one = start(waits, NULL);
  for (int i = 0; i < 50; ++i) {
    pthread_mutex_lock(&mutexes[i % 2]);
    __atomic_store_n(&turn, i + 1, __ATOMIC_SEQ_CST);
    pthread_cond_broadcast(&changed);
    pthread_mutex_unlock(&mutexes[i % 2]);
  }
  join(one);
  return 0;
}
