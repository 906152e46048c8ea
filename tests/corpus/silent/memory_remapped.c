// expect: no deadlock
// A page with a held mutex is unmapped, and mapped again at the same address.
#include "../corpus.h"

static pthread_mutex_t* lock;
static pthread_mutex_t other = PTHREAD_MUTEX_INITIALIZER;
static pthread_barrier_t both;

static void* holder(void* unused) {
  pthread_mutex_lock(lock);
  pthread_barrier_wait(&both);
  pthread_barrier_wait(&both);  // the page is another one now
  pthread_mutex_lock(&other);   // held by main, which waits for the new lock
  pthread_mutex_unlock(&other);
  return unused;
}

static void* new_holder(void* unused) {
  pthread_mutex_lock(lock);
  pthread_barrier_wait(&both);
  stand();
  pthread_mutex_unlock(lock);
  return unused;
}

int main(void) {
  const long page = sysconf(_SC_PAGESIZE);
  void* at = mmap(NULL, page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  lock = (pthread_mutex_t*)at;
  both = barrier_of(2);
  pthread_mutex_lock(&other);
  const pthread_t one = start(holder, NULL);
  pthread_barrier_wait(&both);
  CHECK(munmap(at, page) == 0);
  CHECK(mmap(at, page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == at);
  pthread_barrier_wait(&both);
  const pthread_t two = start(new_holder, NULL);
  pthread_barrier_wait(&both);
  pthread_mutex_lock(lock);
  pthread_mutex_unlock(lock);
  pthread_mutex_unlock(&other);
  join(one);
  join(two);
  return 0;
}
