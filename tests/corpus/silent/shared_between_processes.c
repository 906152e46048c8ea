// expect: nothing
// Mutexes, a read-write lock, a condition and a semaphore in shared memory: what a process
// waits for is held, signalled and posted by the other one.
#include "../corpus.h"

struct Shared {
  pthread_mutex_t mutex;
  pthread_rwlock_t rwlock;
  pthread_cond_t changed;
  sem_t semaphore;
  pthread_barrier_t both;
  int ready;
};

static struct Shared* make(void) {
  struct Shared* shared = (struct Shared*)shared_memory(sizeof *shared);
  pthread_mutexattr_t mutex;
  pthread_rwlockattr_t rwlock;
  pthread_condattr_t cond;
  pthread_barrierattr_t barrier;
  pthread_mutexattr_init(&mutex);
  pthread_mutexattr_setpshared(&mutex, PTHREAD_PROCESS_SHARED);
  pthread_mutex_init(&shared->mutex, &mutex);
  pthread_rwlockattr_init(&rwlock);
  pthread_rwlockattr_setpshared(&rwlock, PTHREAD_PROCESS_SHARED);
  pthread_rwlock_init(&shared->rwlock, &rwlock);
  pthread_condattr_init(&cond);
  pthread_condattr_setpshared(&cond, PTHREAD_PROCESS_SHARED);
  pthread_cond_init(&shared->changed, &cond);
  pthread_barrierattr_init(&barrier);
  pthread_barrierattr_setpshared(&barrier, PTHREAD_PROCESS_SHARED);
  pthread_barrier_init(&shared->both, &barrier, 2);
  sem_init(&shared->semaphore, 1, 0);
  return shared;
}

static void* reads(void* argument) {
  struct Shared* shared = (struct Shared*)argument;
  pthread_rwlock_rdlock(&shared->rwlock);
  pthread_rwlock_unlock(&shared->rwlock);
  return NULL;
}

int main(void) {
  struct Shared* shared = make();
  const pid_t child = fork();
  if (child == 0) {
    pthread_mutex_lock(&shared->mutex);
    pthread_rwlock_wrlock(&shared->rwlock);
    pthread_barrier_wait(&shared->both);
    stand();
    pthread_rwlock_unlock(&shared->rwlock);
    pthread_mutex_unlock(&shared->mutex);
    stand();
    pthread_mutex_lock(&shared->mutex);
    shared->ready = 1;
    pthread_cond_signal(&shared->changed);
    pthread_mutex_unlock(&shared->mutex);
    stand();
    sem_post(&shared->semaphore);
    _exit(0);
  }
  pthread_barrier_wait(&shared->both);
  const pthread_t reader = start(reads, shared);
  pthread_mutex_lock(&shared->mutex);
  while (!shared->ready) pthread_cond_wait(&shared->changed, &shared->mutex);
  pthread_mutex_unlock(&shared->mutex);
  sem_wait(&shared->semaphore);
  join(reader);
  CHECK(waitpid(child, NULL, 0) == child);
  return 0;
}
