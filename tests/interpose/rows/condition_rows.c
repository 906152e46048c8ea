// Condition variables: signals, time-outs, wrong mutexes, cancellation.
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/wait.h>

#include "row.h"

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t condition = PTHREAD_COND_INITIALIZER;
static int stage;

// Waits until the other side has made it `wanted`, under the mutex.
static void AwaitStage(int wanted) {
  while (stage != wanted) pthread_cond_wait(&condition, &mutex);
}

static void* Answer(void* unused) {
  (void)unused;
  pthread_mutex_lock(&mutex);
  AwaitStage(1);
  stage = 2;
  pthread_cond_broadcast(&condition);
  pthread_mutex_unlock(&mutex);
  return NULL;
}

static void Signalled(void) {
  pthread_t other;
  stage = 0;
  pthread_create(&other, NULL, Answer, NULL);
  pthread_mutex_lock(&mutex);
  stage = 1;
  pthread_cond_broadcast(&condition);
  AwaitStage(2);
  SHOW(pthread_mutex_trylock(&mutex));  // held again
  SHOW(pthread_mutex_unlock(&mutex));
  pthread_join(other, NULL);
}

static void* TryIt(void* m) {
  const int result = pthread_mutex_trylock(m);
  if (result == 0) pthread_mutex_unlock(m);
  return (void*)(long)result;
}

static void TimedOut(void) {
  struct timespec past = Past(), soon = Soon(CLOCK_REALTIME), monotonic = Soon(CLOCK_MONOTONIC);
  struct timespec wrong = {.tv_sec = 1, .tv_nsec = -1};
  pthread_mutex_lock(&mutex);
  SHOW(pthread_cond_timedwait(&condition, &mutex, &past));
  SHOW(pthread_cond_timedwait(&condition, &mutex, &soon));
  SHOW(pthread_cond_timedwait(&condition, &mutex, &wrong));
  SHOW(pthread_cond_clockwait(&condition, &mutex, CLOCK_MONOTONIC, &past));
  SHOW(pthread_cond_clockwait(&condition, &mutex, CLOCK_MONOTONIC, &monotonic));
  SHOW(pthread_cond_clockwait(&condition, &mutex, CLOCK_REALTIME, &wrong));
  SHOW(pthread_cond_clockwait(&condition, &mutex, CLOCK_PROCESS_CPUTIME_ID, &past));
  SHOW((int)(long)InThread(TryIt, &mutex));
  SHOW(pthread_mutex_unlock(&mutex));
  SHOW((int)(long)InThread(TryIt, &mutex));
}

static void MonotonicAttribute(void) {
  pthread_condattr_t attributes;
  pthread_cond_t timed;
  struct timespec soon = Soon(CLOCK_MONOTONIC);
  pthread_condattr_init(&attributes);
  pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
  SHOW(pthread_cond_init(&timed, &attributes));
  pthread_mutex_lock(&mutex);
  SHOW(pthread_cond_timedwait(&timed, &mutex, &soon));
  pthread_mutex_unlock(&mutex);
  SHOW(pthread_cond_destroy(&timed));
  pthread_condattr_destroy(&attributes);
}

static void NotTheOwner(void) {
  pthread_mutex_t checked = PTHREAD_ERRORCHECK_MUTEX_INITIALIZER_NP;
  struct timespec past = Past();
  SHOW(pthread_cond_wait(&condition, &checked));
  SHOW(pthread_cond_timedwait(&condition, &checked, &past));
  SHOW(pthread_mutex_lock(&checked));
  SHOW(pthread_cond_timedwait(&condition, &checked, &past));
  SHOW(pthread_mutex_unlock(&checked));
}

static void RecursiveMutex(void) {
  pthread_mutex_t recursive = PTHREAD_RECURSIVE_MUTEX_INITIALIZER_NP;
  struct timespec past = Past();
  pthread_mutex_lock(&recursive);
  pthread_mutex_lock(&recursive);
  SHOW(pthread_cond_timedwait(&condition, &recursive, &past));
  SHOW(pthread_mutex_unlock(&recursive));
  SHOW((int)(long)InThread(TryIt, &recursive));
  SHOW(pthread_mutex_unlock(&recursive));
  SHOW((int)(long)InThread(TryIt, &recursive));
}

static int cleaned_up;
static void Unlock(void* m) {
  cleaned_up = 1 + (pthread_mutex_trylock(m) == EBUSY);
  pthread_mutex_unlock(m);
}

enum WaitHow { kPlain, kTimed, kClock };
static enum WaitHow how;
static void* WaitForEver(void* unused) {
  struct timespec far = {.tv_sec = 1L << 40};
  (void)unused;
  pthread_mutex_lock(&mutex);
  pthread_cleanup_push(Unlock, &mutex);
  stage = 1;
  pthread_cond_broadcast(&condition);
  while (stage == 1) {
    if (how == kPlain) pthread_cond_wait(&condition, &mutex);
    if (how == kTimed) pthread_cond_timedwait(&condition, &mutex, &far);
    if (how == kClock) pthread_cond_clockwait(&condition, &mutex, CLOCK_MONOTONIC, &far);
  }
  pthread_cleanup_pop(1);
  return NULL;
}

static void Cancelled(void) {
  for (how = kPlain; how <= kClock; ++how) {
    pthread_t other;
    void* result = NULL;
    stage = 0;
    cleaned_up = 0;
    pthread_create(&other, NULL, WaitForEver, NULL);
    pthread_mutex_lock(&mutex);
    AwaitStage(1);
    pthread_mutex_unlock(&mutex);
    SHOW(pthread_cancel(other));
    SHOW(pthread_join(other, &result));
    Print("cancelled %d, mutex was held in the handler %d\n", result == PTHREAD_CANCELED,
          cleaned_up == 2);
    SHOW(pthread_mutex_trylock(&mutex));
    SHOW(pthread_mutex_unlock(&mutex));
  }
}

struct Pair {
  pthread_mutex_t mutex;
  pthread_cond_t condition;
  int stage;
};
static void AnswerPair(void* p) {
  struct Pair* pair = p;
  pthread_mutex_lock(&pair->mutex);
  pair->stage = 1;
  pthread_cond_signal(&pair->condition);
  while (pair->stage != 2) pthread_cond_wait(&pair->condition, &pair->mutex);
  pthread_mutex_unlock(&pair->mutex);
  _exit(5);
}

// Signalled from another process, in both directions.
static void Shared(void) {
  struct Pair* pair = SharedMemory(sizeof(*pair));
  pthread_mutexattr_t mutex_attributes;
  pthread_condattr_t attributes;
  int status = 0;
  pthread_mutexattr_init(&mutex_attributes);
  pthread_mutexattr_setpshared(&mutex_attributes, PTHREAD_PROCESS_SHARED);
  pthread_condattr_init(&attributes);
  pthread_condattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED);
  SHOW(pthread_mutex_init(&pair->mutex, &mutex_attributes));
  SHOW(pthread_cond_init(&pair->condition, &attributes));
  SHOW(pthread_mutex_lock(&pair->mutex));
  fflush(stdout);
  const pid_t child = fork();
  if (child == 0) AnswerPair(pair);
  while (pair->stage != 1) pthread_cond_wait(&pair->condition, &pair->mutex);
  pair->stage = 2;
  SHOW(pthread_cond_broadcast(&pair->condition));
  SHOW(pthread_mutex_unlock(&pair->mutex));
  waitpid(child, &status, 0);
  Print("status %d\n", WEXITSTATUS(status));
  SHOW(pthread_cond_destroy(&pair->condition));
  SHOW(pthread_mutex_destroy(&pair->mutex));
}

// Signals are handled, and the wait goes on until its condition is signalled.
static atomic_int handled;
static void Handle(int signal) {
  (void)signal;
  ++handled;
}
static void* WaitForStage(void* unused) {
  int wrong = 0;
  pthread_mutex_lock(&mutex);
  stage = 1;
  pthread_cond_broadcast(&condition);
  while (stage == 1) {
    errno = kUntouched;
    wrong += pthread_cond_wait(&condition, &mutex) != 0 || errno != kUntouched;
  }
  pthread_mutex_unlock(&mutex);
  Print("wrong answers %d\n", wrong);
  return unused;
}
static void Interrupted(void) {
  struct sigaction action = {.sa_handler = Handle}, before;
  pthread_t other;
  stage = 0;
  handled = 0;
  sigaction(SIGUSR1, &action, &before);
  pthread_create(&other, NULL, WaitForStage, NULL);
  pthread_mutex_lock(&mutex);
  AwaitStage(1);
  pthread_mutex_unlock(&mutex);
  while (handled < 20) {
    pthread_kill(other, SIGUSR1);
    sched_yield();
  }
  pthread_mutex_lock(&mutex);
  stage = 2;
  pthread_cond_broadcast(&condition);
  pthread_mutex_unlock(&mutex);
  SHOW(pthread_join(other, NULL));
  sigaction(SIGUSR1, &before, NULL);
}

static void Lives(void) {
  for (int i = 0; i < 3; ++i) {
    pthread_cond_t own;
    SHOW(pthread_cond_init(&own, NULL));
    SHOW(pthread_cond_signal(&own));
    SHOW(pthread_cond_destroy(&own));
  }
}

const struct Row kConditionRows[] = {
    {"pthread_cond_wait pthread_cond_broadcast", "signalled", Signalled},
    {"pthread_cond_timedwait pthread_cond_clockwait", "timed out, and wrong", TimedOut},
    {"pthread_cond_init pthread_cond_timedwait pthread_cond_destroy", "on another clock",
     MonotonicAttribute},
    {"pthread_cond_wait pthread_cond_timedwait", "with a mutex that is not held", NotTheOwner},
    {"pthread_cond_timedwait", "with a recursive mutex held twice", RecursiveMutex},
    {"pthread_cond_wait pthread_cond_timedwait pthread_cond_clockwait", "cancelled", Cancelled},
    {"pthread_cond_init pthread_cond_wait pthread_cond_signal pthread_cond_broadcast",
     "shared with a child", Shared},
    {"pthread_cond_wait", "interrupted by signals", Interrupted},
    {"pthread_cond_init pthread_cond_signal pthread_cond_destroy", "lives at one address", Lives},
    {0}};
