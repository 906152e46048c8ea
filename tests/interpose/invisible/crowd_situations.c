// Very many threads: at once, and one after another.
#include "situation.h"

#include <stdatomic.h>
#include <stdio.h>
#include <sys/resource.h>
#include <unistd.h>

enum { kAtOnce = 10000, kInTotal = 100000, kSmallStack = 64 << 10 };

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t go = PTHREAD_COND_INITIALIZER;
static int here, may_go;

static void* wait_for_all(void* unused) {
  pthread_mutex_lock(&mutex);
  ++here;
  pthread_cond_broadcast(&go);
  while (!may_go) pthread_cond_wait(&go, &mutex);
  pthread_mutex_unlock(&mutex);
  return unused;
}

static void small_stacks(pthread_attr_t* attributes) {
  pthread_attr_init(attributes);
  pthread_attr_setstacksize(attributes, kSmallStack);
}

static int at_once(int count) {
  static pthread_t threads[20000];
  pthread_attr_t attributes;
  small_stacks(&attributes);
  int made = 0;
  while (made < count && pthread_create(&threads[made], &attributes, wait_for_all, NULL) == 0) {
    ++made;
  }
  need(made == count, "that many threads");
  pthread_mutex_lock(&mutex);
  while (here < count) pthread_cond_wait(&go, &mutex);
  may_go = 1;
  pthread_cond_broadcast(&go);
  pthread_mutex_unlock(&mutex);
  for (int i = 0; i < count; ++i) pthread_join(threads[i], NULL);
  printf("%d threads\n", here);
  return workout("after the crowd");
}
static int ten_thousand(void) { return at_once(kAtOnce); }
static int more_than_there_are_places(void) { return at_once(17500); }

static void* lock_once(void* counter) {
  pthread_mutex_lock(&mutex);
  ++*(int*)counter;
  pthread_mutex_unlock(&mutex);
  return NULL;
}
static int one_after_another(void) {
  int count = 0;
  pthread_attr_t attributes;
  small_stacks(&attributes);
  for (int i = 0; i < kInTotal; ++i) {
    pthread_t thread;
    need(pthread_create(&thread, &attributes, lock_once, &count) == 0, "a thread");
    pthread_join(thread, NULL);
  }
  printf("%d threads\n", count);
  return workout("after the crowd");
}

const struct situation crowd_situations[] = {{"ten-thousand-threads", ten_thousand},
                                             {"more-threads-than-places", more_than_there_are_places},
                                             {"hundred-thousand-threads", one_after_another},
                                             {NULL, NULL}};
