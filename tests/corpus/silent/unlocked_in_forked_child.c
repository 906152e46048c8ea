// expect: nothing
// What was locked before a fork is unlocked in the child: by the thread that locked it, of
// every kind, by a handler of pthread_atfork, by hand after another thread had it; and what
// it cannot unlock the child destroys and makes anew.
#include <sys/syscall.h>

#include "../corpus.h"

enum { kKinds = 4 };
static pthread_mutex_t own[kKinds], library = PTHREAD_MUTEX_INITIALIZER, others, handled;
static pthread_rwlock_t rwlock = PTHREAD_RWLOCK_INITIALIZER;
static pthread_barrier_t both;

static void before(void) { pthread_mutex_lock(&handled); }
static void after(void) { pthread_mutex_unlock(&handled); }

static void* holds(void* unused) {
  pthread_mutex_lock(&others);
  pthread_mutex_lock(&library);
  pthread_barrier_wait(&both);
  pthread_barrier_wait(&both);
  pthread_mutex_unlock(&library);
  pthread_mutex_unlock(&others);
  return unused;
}

static void unlock_all(void) {
  for (int i = 0; i < kKinds; ++i) {
    pthread_mutex_unlock(&own[i]);  // some kinds say EPERM: the child has another tid
    pthread_mutex_unlock(&own[i]);
  }
  pthread_rwlock_unlock(&rwlock);
}

static void in_child(void) {
  unlock_all();
  pthread_mutex_unlock(&others);
  pthread_mutex_unlock(&library);
  for (int i = 0; i < kKinds; ++i) {
    pthread_mutex_destroy(&own[i]);
    pthread_mutex_init(&own[i], NULL);
    pthread_mutex_lock(&own[i]);
    pthread_mutex_unlock(&own[i]);
  }
  _exit(0);
}

int main(void) {
  const int types[kKinds] = {PTHREAD_MUTEX_NORMAL, PTHREAD_MUTEX_RECURSIVE,
                             PTHREAD_MUTEX_ERRORCHECK, PTHREAD_MUTEX_ADAPTIVE_NP};
  pthread_mutexattr_t attributes;
  pthread_mutexattr_init(&attributes);
  pthread_mutexattr_settype(&attributes, PTHREAD_MUTEX_RECURSIVE);
  pthread_mutex_init(&others, &attributes);
  pthread_mutex_init(&handled, &attributes);
  for (int i = 0; i < kKinds; ++i) {
    pthread_mutexattr_settype(&attributes, types[i]);
    pthread_mutex_init(&own[i], &attributes);
  }
  both = barrier_of(2);
  pthread_atfork(before, after, after);
  const pthread_t thread = start(holds, NULL);
  pthread_barrier_wait(&both);
  for (int i = 0; i < kKinds; ++i) pthread_mutex_lock(&own[i]);
  pthread_mutex_lock(&own[1]);  // the recursive one, twice
  pthread_rwlock_wrlock(&rwlock);
  pid_t child = fork();
  if (child == 0) in_child();
  CHECK(waitpid(child, NULL, 0) == child);
  child = (pid_t)syscall(SYS_fork);
  if (child == 0) in_child();
  CHECK(waitpid(child, NULL, 0) == child);
  pthread_rwlock_unlock(&rwlock);
  for (int i = kKinds; i-- > 0;) pthread_mutex_unlock(&own[i]);
  pthread_mutex_unlock(&own[1]);
  pthread_barrier_wait(&both);
  join(thread);
  return 0;
}
