// C11 threads, mutexes and conditions.
#include <sched.h>
#include <stdatomic.h>
#include <threads.h>

#include "row.h"

static mtx_t mutex;
static void* TryFromThread(void* m) { return (void*)(long)mtx_trylock(m); }
static void* TimedFromThread(void* m) {
  struct timespec soon = Soon(CLOCK_REALTIME);
  return (void*)(long)mtx_timedlock(m, &soon);
}

static void Mutexes(void) {
  struct timespec past = Past(), wrong = {.tv_sec = 1, .tv_nsec = 1000000000};
  const int types[] = {mtx_plain, mtx_timed, mtx_plain | mtx_recursive, mtx_timed | mtx_recursive};
  for (int i = 0; i < 4; ++i) {
    SHOW_VALUE(mtx_init(&mutex, types[i]));
    SHOW_VALUE(mtx_lock(&mutex));
    SHOW_VALUE(mtx_trylock(&mutex));
    SHOW_VALUE(mtx_timedlock(&mutex, &past));
    SHOW_VALUE((int)(long)InThread(TryFromThread, &mutex));
    SHOW_VALUE((int)(long)InThread(TimedFromThread, &mutex));
    SHOW_VALUE(mtx_unlock(&mutex));
    SHOW_VALUE(mtx_timedlock(&mutex, &wrong));
    SHOW_VALUE(mtx_unlock(&mutex));
    mtx_destroy(&mutex);
  }
}

static cnd_t condition;
static int turn;
static int Other(void* unused) {
  for (int i = 0; i < 500; ++i) {
    mtx_lock(&mutex);
    while (turn != 1) cnd_wait(&condition, &mutex);
    turn = 0;
    cnd_signal(&condition);
    mtx_unlock(&mutex);
  }
  return unused == NULL;
}

static void Conditions(void) {
  struct timespec past = Past(), soon = Soon(CLOCK_REALTIME);
  struct timespec wrong = {.tv_sec = 1, .tv_nsec = 1000000000};
  thrd_t thread;
  int result = 0;
  mtx_init(&mutex, mtx_plain);
  SHOW_VALUE(cnd_init(&condition));
  mtx_lock(&mutex);
  SHOW_VALUE(cnd_timedwait(&condition, &mutex, &past));
  SHOW_VALUE(cnd_timedwait(&condition, &mutex, &soon));
  SHOW_VALUE(cnd_timedwait(&condition, &mutex, &wrong));
  SHOW_VALUE((int)(long)InThread(TryFromThread, &mutex));
  mtx_unlock(&mutex);
  SHOW_VALUE(thrd_create(&thread, Other, NULL));
  for (int i = 0; i < 500; ++i) {
    mtx_lock(&mutex);
    turn = 1;
    cnd_broadcast(&condition);
    while (turn != 0) cnd_wait(&condition, &mutex);
    mtx_unlock(&mutex);
  }
  SHOW_VALUE(thrd_join(thread, &result));
  Print("result %d\n", result);
  cnd_destroy(&condition);
  mtx_destroy(&mutex);
}

static int Give(void* value) { return (int)(long)value; }
static int Exit(void* value) { thrd_exit((int)(long)value); }
static int SelfIsSame(void* created) {
  return thrd_equal(thrd_current(), *(thrd_t*)created) != 0;
}
static atomic_int go, gone;
static int UntilGo(void* unused) {
  while (!go) thrd_yield();
  ++gone;
  return unused == NULL;
}

static void Threads(void) {
  const int values[] = {0, 1, -1, 123456, -2147483647 - 1};
  thrd_t thread;
  int result = 0;
  for (int i = 0; i < 5; ++i) {
    SHOW_VALUE(thrd_create(&thread, Give, (void*)(long)values[i]));
    SHOW_VALUE(thrd_join(thread, &result));
    Print("returned %d\n", result);
    SHOW_VALUE(thrd_create(&thread, Exit, (void*)(long)values[i]));
    SHOW_VALUE(thrd_join(thread, &result));
    Print("exited with %d\n", result);
  }
  SHOW_VALUE(thrd_create(&thread, Give, NULL));
  SHOW_VALUE(thrd_join(thread, NULL));
  SHOW_VALUE(thrd_create(&thread, SelfIsSame, &thread));
  SHOW_VALUE(thrd_join(thread, &result));
  Print("the same thread: %d\n", result);
  SHOW_VALUE(thrd_create(&thread, UntilGo, NULL));
  SHOW_VALUE(thrd_detach(thread));
  SHOW_VALUE(thrd_join(thread, NULL));
  go = 1;
  while (!gone) thrd_yield();
}

static atomic_int handled;
static void Handled(void* m) {
  // A cancelled wait holds its mutex again.
  handled += mtx_unlock(m) == thrd_success;
}
static int WaitForEver(void* unused) {
  mtx_lock(&mutex);
  pthread_cleanup_push(Handled, &mutex);
  while (turn != 5) cnd_wait(&condition, &mutex);
  pthread_cleanup_pop(1);
  return unused == NULL;
}
static void Cancelled(void) {
  thrd_t thread;
  void* result = NULL;
  mtx_init(&mutex, mtx_plain);
  cnd_init(&condition);
  for (int i = 0; i < 3; ++i) {
    thrd_create(&thread, WaitForEver, NULL);
    SHOW(pthread_cancel(thread));
    SHOW(pthread_join(thread, &result));
    Print("cancelled %d, handled %d\n", result == PTHREAD_CANCELED, handled);
    SHOW_VALUE(mtx_trylock(&mutex));
    SHOW_VALUE(mtx_unlock(&mutex));
  }
}

const struct Row kC11Rows[] = {
    {"mtx_init mtx_lock mtx_trylock mtx_timedlock mtx_unlock mtx_destroy", "C11: mutexes",
     Mutexes},
    {"cnd_init cnd_wait cnd_timedwait cnd_signal cnd_broadcast cnd_destroy thrd_create thrd_join",
     "C11: conditions",
     Conditions},
    {"thrd_create thrd_join", "C11: threads", Threads},
    {"cnd_wait thrd_create", "C11: cancelled waits", Cancelled},
    {0}};
