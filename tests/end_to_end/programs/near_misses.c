// What looks like a deadlock for a moment and is none: each mode ends by itself, exit code
// 0, after the situation has stood for longer than a reader needs to look twice.
//
//   near_misses timed       a cycle whose waits have a limit
//   near_misses try         two threads that try, back off and try again
//   near_misses slow        many threads behind one holder that takes its time
//   near_misses rescued     a cycle of semaphores that a third thread opens with a post
//   near_misses recursive   a recursive mutex taken again and again by its owner
//   near_misses readers     readers that cross two read-write locks
//   near_misses condition   a wait that somebody will signal, while other threads queue
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { kStandMilliseconds = 300, kThreads = 8 };

static pthread_mutex_t a = PTHREAD_MUTEX_INITIALIZER, b = PTHREAD_MUTEX_INITIALIZER;
static pthread_rwlock_t ra = PTHREAD_RWLOCK_INITIALIZER, rb = PTHREAD_RWLOCK_INITIALIZER;
static pthread_cond_t ready = PTHREAD_COND_INITIALIZER;
static pthread_barrier_t both;
static sem_t sa, sb;
static int is_ready;

typedef void* (*Body)(void*);

static void stand(void) { usleep(kStandMilliseconds * 1000); }

static struct timespec deadline(void) {
  struct timespec t;
  clock_gettime(CLOCK_REALTIME, &t);
  t.tv_nsec += kStandMilliseconds * 1000000L;
  t.tv_sec += t.tv_nsec / 1000000000L;
  t.tv_nsec %= 1000000000L;
  return t;
}

// The two threads of a cycle get 0 and 1.
static void* timed(void* side) {
  pthread_mutex_t* mine = side ? &b : &a;
  pthread_mutex_t* other = side ? &a : &b;
  pthread_mutex_lock(mine);
  pthread_barrier_wait(&both);
  const struct timespec limit = deadline();
  if (pthread_mutex_timedlock(other, &limit) == 0) pthread_mutex_unlock(other);
  pthread_mutex_unlock(mine);
  return NULL;
}

static void* try_again(void* side) {
  pthread_mutex_t* mine = side ? &b : &a;
  pthread_mutex_t* other = side ? &a : &b;
  for (int round = 0; round < 200; ++round) {
    pthread_mutex_lock(mine);
    for (int i = 0; i < 10; ++i) {
      if (pthread_mutex_trylock(other) == 0) {
        pthread_mutex_unlock(other);
        break;
      }
      usleep(100);
    }
    pthread_mutex_unlock(mine);
  }
  return NULL;
}

static void* slow(void* unused) {
  pthread_mutex_lock(&a);
  usleep(kStandMilliseconds * 1000 / kThreads);
  pthread_mutex_unlock(&a);
  return unused;
}

static void* rescued(void* side) {
  sem_wait(side ? &sb : &sa);
  pthread_barrier_wait(&both);
  sem_wait(side ? &sa : &sb);
  sem_post(&sa);
  sem_post(&sb);
  return NULL;
}

static void* recursive(void* unused) {
  static pthread_mutex_t mutex = PTHREAD_RECURSIVE_MUTEX_INITIALIZER_NP;
  for (int i = 0; i < 100; ++i) pthread_mutex_lock(&mutex);
  stand();
  for (int i = 0; i < 100; ++i) pthread_mutex_unlock(&mutex);
  return unused;
}

static void* reader(void* side) {
  pthread_rwlock_rdlock(side ? &rb : &ra);
  pthread_barrier_wait(&both);
  pthread_rwlock_rdlock(side ? &ra : &rb);
  stand();
  pthread_rwlock_unlock(&ra);
  pthread_rwlock_unlock(&rb);
  return NULL;
}

static void* waiter(void* unused) {
  pthread_mutex_lock(&a);
  while (!is_ready) pthread_cond_wait(&ready, &a);
  pthread_mutex_unlock(&a);
  return unused;
}

static int together(Body body, int threads) {
  pthread_t thread[kThreads];
  pthread_barrier_init(&both, NULL, 2);
  for (long i = 0; i < threads; ++i) {
    if (pthread_create(&thread[i], NULL, body, (void*)i) != 0) return 1;
  }
  if (body == rescued) {
    stand();
    sem_post(&sa);
  }
  if (body == waiter) {
    stand();
    pthread_mutex_lock(&a);
    is_ready = 1;
    pthread_cond_broadcast(&ready);
    pthread_mutex_unlock(&a);
  }
  for (int i = 0; i < threads; ++i) pthread_join(thread[i], NULL);
  return 0;
}

int main(int argc, char** argv) {
  static const struct {
    const char* name;
    Body body;
    int threads;
  } kModes[] = {
      {"timed", timed, 2},
      {"try", try_again, 2},
      {"slow", slow, kThreads},
      {"rescued", rescued, 2},
      {"recursive", recursive, 4},
      {"readers", reader, 2},
      {"condition", waiter, kThreads},
  };
  sem_init(&sa, 0, 1);
  sem_init(&sb, 0, 1);
  for (size_t i = 0; argc == 2 && i < sizeof(kModes) / sizeof(kModes[0]); ++i) {
    if (strcmp(argv[1], kModes[i].name) == 0) return together(kModes[i].body, kModes[i].threads);
  }
  fprintf(stderr, "near_misses: unknown mode\n");
  return 64;
}
