// Spin locks: values, contention, sharing between processes.
#include <sched.h>
#include <stdatomic.h>

#include "row.h"

static void Values(void) {
  pthread_spinlock_t lock;
  SHOW(pthread_spin_init(&lock, PTHREAD_PROCESS_PRIVATE));
  SHOW(pthread_spin_lock(&lock));
  SHOW(pthread_spin_trylock(&lock));
  SHOW(pthread_spin_unlock(&lock));
  SHOW(pthread_spin_trylock(&lock));
  SHOW(pthread_spin_unlock(&lock));
  SHOW(pthread_spin_lock(&lock));
  SHOW(pthread_spin_unlock(&lock));
  SHOW(pthread_spin_destroy(&lock));
  SHOW(pthread_spin_init(&lock, 1234));
  SHOW(pthread_spin_lock(&lock));
  SHOW(pthread_spin_destroy(&lock));
}

static pthread_spinlock_t inner, outer;
static long counter;
static void* Count(void* unused) {
  for (int i = 0; i < 20000; ++i) {
    pthread_spin_lock(&outer);
    pthread_spin_lock(&inner);
    ++counter;
    pthread_spin_unlock(&inner);
    pthread_spin_unlock(&outer);
  }
  return unused;
}

static void Contended(void) {
  pthread_t threads[4];
  pthread_spin_init(&inner, PTHREAD_PROCESS_PRIVATE);
  pthread_spin_init(&outer, PTHREAD_PROCESS_PRIVATE);
  for (int i = 0; i < 4; ++i) pthread_create(&threads[i], NULL, Count, NULL);
  for (int i = 0; i < 4; ++i) pthread_join(threads[i], NULL);
  Print("counted %ld\n", counter);
}

// There is no owner: another thread may release it.
static void* Unlock(void* lock) { return (void*)(long)pthread_spin_unlock(lock); }
static void HandedOver(void) {
  pthread_spin_init(&outer, PTHREAD_PROCESS_PRIVATE);
  for (int i = 0; i < 3; ++i) {
    SHOW(pthread_spin_lock(&outer));
    SHOW((int)(long)InThread(Unlock, (void*)&outer));
  }
}

struct Shared {
  pthread_spinlock_t lock;
  atomic_int tried;
};
static void WaitForParent(void* argument) {
  struct Shared* shared = argument;
  if (pthread_spin_trylock(&shared->lock) != EBUSY) _exit(1);
  shared->tried = 1;
  pthread_spin_lock(&shared->lock);
  pthread_spin_unlock(&shared->lock);
}
static void* Release(void* argument) {
  struct Shared* shared = argument;
  while (!shared->tried) sched_yield();
  pthread_spin_unlock(&shared->lock);
  return NULL;
}
static void SharedLock(void) {
  struct Shared* shared = SharedMemory(sizeof(*shared));
  pthread_t thread;
  SHOW(pthread_spin_init(&shared->lock, PTHREAD_PROCESS_SHARED));
  SHOW(pthread_spin_lock(&shared->lock));
  pthread_create(&thread, NULL, Release, shared);
  SHOW_VALUE(InChild(WaitForParent, shared));
  pthread_join(thread, NULL);
  SHOW(pthread_spin_destroy(&shared->lock));
}

const struct Row kSpinRows[] = {
    {"pthread_spin_init pthread_spin_lock pthread_spin_trylock pthread_spin_unlock "
     "pthread_spin_destroy",
     "spin locks: values", Values},
    {"pthread_spin_lock pthread_spin_unlock", "spin locks: contended and nested", Contended},
    {"pthread_spin_unlock", "spin locks: released by another thread", HandedOver},
    {"pthread_spin_init pthread_spin_lock pthread_spin_trylock", "spin locks: shared with a child",
     SharedLock},
    {0}};
