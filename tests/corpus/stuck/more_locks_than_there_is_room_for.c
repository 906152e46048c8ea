// expect: deadlock
// Two threads take two mutexes crosswise, after more mutexes than the ledger has room for.
#include "../corpus.h"

enum { kMutexes = 2200000 };

static pthread_mutex_t* mutexes;
static pthread_barrier_t both;

static void* cross(void* second) {
  pthread_mutex_t* const last = mutexes + kMutexes - 1;
  pthread_mutex_t* const mine = second ? last : last - 1;
  pthread_mutex_t* const other = second ? last - 1 : last;
  pthread_mutex_lock(mine);
  pthread_barrier_wait(&both);
  pthread_mutex_lock(other);
  pthread_mutex_unlock(other);
  pthread_mutex_unlock(mine);
  return NULL;
}

int main(void) {
  both = barrier_of(2);
  mutexes = calloc(kMutexes, sizeof(*mutexes));
  CHECK(mutexes != NULL);
  for (int i = 0; i < kMutexes - 2; ++i) {
    pthread_mutex_lock(&mutexes[i]);
    pthread_mutex_unlock(&mutexes[i]);
  }
  const pthread_t one = start(cross, NULL), two = start(cross, &both);
  join(one);
  join(two);
  return 0;
}
