// expect: misuse unlock_not_owner, unlock_not_owner, unlock_not_owner, unlock_not_owner
// Mutexes that refuse: error-checking, recursive and robust ones held by another thread, and
// a recursive one unlocked once too often.
#include "../corpus.h"

static pthread_mutex_t checking, recursive, robust, too_often;
static pthread_barrier_t both;

static void make(pthread_mutex_t* mutex, int type, int robustness) {
  pthread_mutexattr_t attributes;
  pthread_mutexattr_init(&attributes);
  pthread_mutexattr_settype(&attributes, type);
  pthread_mutexattr_setrobust(&attributes, robustness);
  pthread_mutex_init(mutex, &attributes);
}

static void* holds(void* unused) {
  pthread_mutex_lock(&checking);
  pthread_mutex_lock(&recursive);
  pthread_mutex_lock(&robust);
  pthread_barrier_wait(&both);
  pthread_barrier_wait(&both);
  pthread_mutex_unlock(&robust);
  pthread_mutex_unlock(&recursive);
  pthread_mutex_unlock(&checking);
  return unused;
}

static void unlock_checking(void) { CHECK(pthread_mutex_unlock(&checking) == EPERM); }
static void unlock_recursive(void) { CHECK(pthread_mutex_unlock(&recursive) == EPERM); }
static void unlock_robust(void) { CHECK(pthread_mutex_unlock(&robust) == EPERM); }
static void unlock_too_often(void) {
  CHECK(pthread_mutex_unlock(&too_often) == 0);
  CHECK(pthread_mutex_unlock(&too_often) == 0);
  CHECK(pthread_mutex_unlock(&too_often) == EPERM);
}

int main(void) {
  make(&checking, PTHREAD_MUTEX_ERRORCHECK, PTHREAD_MUTEX_STALLED);
  make(&recursive, PTHREAD_MUTEX_RECURSIVE, PTHREAD_MUTEX_STALLED);
  make(&robust, PTHREAD_MUTEX_NORMAL, PTHREAD_MUTEX_ROBUST);
  make(&too_often, PTHREAD_MUTEX_RECURSIVE, PTHREAD_MUTEX_STALLED);
  both = barrier_of(2);
  const pthread_t thread = start(holds, NULL);
  pthread_barrier_wait(&both);
  unlock_checking();
  unlock_recursive();
  unlock_robust();
  pthread_barrier_wait(&both);
  join(thread);
  pthread_mutex_lock(&too_often);
  pthread_mutex_lock(&too_often);
  unlock_too_often();
  return 0;
}
