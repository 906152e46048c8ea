// expect: nothing
// What looks like misuse from far: semaphores that are handed over, recursive mutexes, waits
// that release and lock again, readers that leave while others read, a lock that one thread
// gives up for the next, memory of a destroyed mutex that is another mutex next, destruction
// by whoever comes last, destruction of what was only ever held in an earlier life.
#include "../corpus.h"

enum { kRounds = 300, kThreads = 4 };
static pthread_mutex_t recursive;
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;  // static: never destroyed
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static pthread_rwlock_t rwlock;
static pthread_barrier_t all;
static sem_t baton[kThreads];
static int turn;

struct Counted {
  pthread_mutex_t mutex;
  pthread_rwlock_t rwlock;
  int users;
};
static struct Counted* counted;

static void leave(struct Counted* object) {
  pthread_rwlock_rdlock(&object->rwlock);
  pthread_rwlock_unlock(&object->rwlock);
  pthread_mutex_lock(&object->mutex);
  const int last = --object->users == 0;
  pthread_mutex_unlock(&object->mutex);
  if (!last) return;
  CHECK(pthread_mutex_destroy(&object->mutex) == 0);
  CHECK(pthread_rwlock_destroy(&object->rwlock) == 0);
  free(object);  // the next one comes to lie here
}

static void* works(void* argument) {
  const int me = (int)(long)argument;
  for (int i = 0; i < kRounds; ++i) {
    sem_wait(&baton[me]);
    sem_post(&baton[(me + 1) % kThreads]);  // another thread waits for it

    pthread_mutex_lock(&recursive);
    pthread_mutex_lock(&recursive);
    pthread_mutex_unlock(&recursive);
    pthread_mutex_unlock(&recursive);

    pthread_rwlock_rdlock(&rwlock);
    pthread_barrier_wait(&all);  // they all read
    pthread_rwlock_rdlock(&rwlock);
    pthread_rwlock_unlock(&rwlock);
    pthread_rwlock_unlock(&rwlock);
    if (me == 0) {
      pthread_rwlock_wrlock(&rwlock);
      pthread_rwlock_unlock(&rwlock);
    }

    pthread_mutex_lock(&mutex);
    while (turn % kThreads != me) pthread_cond_wait(&changed, &mutex);
    ++turn;
    pthread_cond_broadcast(&changed);
    pthread_mutex_unlock(&mutex);

    if (me == 0) {
      counted = (struct Counted*)malloc(sizeof *counted);
      pthread_mutex_init(&counted->mutex, NULL);
      pthread_rwlock_init(&counted->rwlock, NULL);
      counted->users = kThreads;
    }
    pthread_barrier_wait(&all);
    leave(counted);
    pthread_barrier_wait(&all);
  }
  return NULL;
}

int main(void) {
  pthread_mutexattr_t attributes;
  pthread_mutexattr_init(&attributes);
  pthread_mutexattr_settype(&attributes, PTHREAD_MUTEX_RECURSIVE);
  pthread_mutex_init(&recursive, &attributes);
  pthread_rwlock_init(&rwlock, NULL);
  all = barrier_of(kThreads);
  for (int i = 0; i < kThreads; ++i) sem_init(&baton[i], 0, i == 0);
  pthread_t threads[kThreads];
  for (long i = 0; i < kThreads; ++i) threads[i] = start(works, (void*)i);
  for (int i = 0; i < kThreads; ++i) join(threads[i]);
  pthread_mutex_destroy(&recursive);
  pthread_rwlock_destroy(&rwlock);
  return 0;
}
