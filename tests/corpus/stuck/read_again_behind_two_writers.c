// expect: deadlock
// A reader asks again behind two waiting writers, either of which would let it in, while a
// fourth thread works on.
#include "../corpus.h"

static pthread_rwlock_t rwlock = PTHREAD_RWLOCK_WRITER_NONRECURSIVE_INITIALIZER_NP;

static volatile pid_t writing[2];

static void* writes(void* tid) {
  *(volatile pid_t*)tid = gettid();
  pthread_rwlock_wrlock(&rwlock);
  pthread_rwlock_unlock(&rwlock);
  return NULL;
}

static void* reads_twice(void* unused) {
  pthread_rwlock_rdlock(&rwlock);
  for (int i = 0; i < 2; ++i) {
    start(writes, (void*)&writing[i]);
    until_asleep(&writing[i]);
  }
  pthread_rwlock_rdlock(&rwlock);
  return unused;
}

int main(void) {
  start(reads_twice, NULL);
  for (;;) stand();
}
