// Semaphores: values, time-outs, interruption, cancellation.
#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>

#include "row.h"

static int ValueOf(sem_t* semaphore) {
  int value = -1;
  sem_getvalue(semaphore, &value);
  return value;
}

static void Values(void) {
  sem_t semaphore;
  struct timespec past = Past(), soon = Soon(CLOCK_REALTIME), monotonic = Soon(CLOCK_MONOTONIC);
  struct timespec wrong = {.tv_sec = 1, .tv_nsec = 1000000000};
  SHOW_VALUE(sem_init(&semaphore, 0, (unsigned)INT_MAX + 1u));
  SHOW_VALUE(sem_init(&semaphore, 0, 2));
  SHOW_VALUE(sem_wait(&semaphore));
  SHOW_VALUE(sem_trywait(&semaphore));
  SHOW_VALUE(sem_trywait(&semaphore));
  SHOW_VALUE(sem_timedwait(&semaphore, &past));
  SHOW_VALUE(sem_timedwait(&semaphore, &soon));
  SHOW_VALUE(sem_timedwait(&semaphore, &wrong));
  SHOW_VALUE(sem_clockwait(&semaphore, CLOCK_MONOTONIC, &past));
  SHOW_VALUE(sem_clockwait(&semaphore, CLOCK_MONOTONIC, &monotonic));
  SHOW_VALUE(sem_clockwait(&semaphore, CLOCK_PROCESS_CPUTIME_ID, &past));
  SHOW_VALUE(sem_post(&semaphore));
  SHOW_VALUE(sem_post(&semaphore));
  SHOW_VALUE(sem_post(&semaphore));
  Print("value %d\n", ValueOf(&semaphore));
  SHOW_VALUE(sem_timedwait(&semaphore, &past));  // not looked at: there is a unit
  SHOW_VALUE(sem_clockwait(&semaphore, CLOCK_MONOTONIC, &past));
  Print("value %d\n", ValueOf(&semaphore));
  SHOW_VALUE(sem_destroy(&semaphore));
  SHOW_VALUE(sem_init(&semaphore, 0, INT_MAX));
  SHOW_VALUE(sem_post(&semaphore));
  SHOW_VALUE(sem_destroy(&semaphore));
}

static void Ignore(int signal) { (void)signal; }
static atomic_int finished;
static sem_t never;
static int which;

static void* WaitInterrupted(void* unused) {
  struct timespec far = {.tv_sec = 1L << 40};
  int result = 0;
  (void)unused;
  errno = kUntouched;
  if (which == 0) result = sem_wait(&never);
  if (which == 1) result = sem_timedwait(&never, &far);
  if (which == 2) result = sem_clockwait(&never, CLOCK_MONOTONIC, &far);
  Print("interrupted: %d, errno %s\n", result, ErrorName(errno));
  finished = 1;
  return NULL;
}

static void Interrupted(void) {
  struct sigaction action = {.sa_handler = Ignore}, before;
  sigaction(SIGUSR1, &action, &before);
  sem_init(&never, 0, 0);
  for (which = 0; which < 3; ++which) {
    pthread_t other;
    finished = 0;
    pthread_create(&other, NULL, WaitInterrupted, NULL);
    while (!finished) {
      pthread_kill(other, SIGUSR1);
      sched_yield();
    }
    pthread_join(other, NULL);
  }
  sem_destroy(&never);
  sigaction(SIGUSR1, &before, NULL);
}

static int handled;
static void Handled(void* unused) {
  (void)unused;
  ++handled;
}
static void* WaitCancelled(void* unused) {
  struct timespec far = {.tv_sec = 1L << 40};
  (void)unused;
  pthread_cleanup_push(Handled, NULL);
  if (which == 0) sem_wait(&never);
  if (which == 1) sem_timedwait(&never, &far);
  if (which == 2) sem_clockwait(&never, CLOCK_MONOTONIC, &far);
  pthread_cleanup_pop(0);
  return NULL;
}

static void Cancelled(void) {
  sem_init(&never, 0, 0);
  for (which = 0; which < 3; ++which) {
    pthread_t other;
    void* result = NULL;
    pthread_create(&other, NULL, WaitCancelled, NULL);
    SHOW(pthread_cancel(other));
    SHOW(pthread_join(other, &result));
    Print("cancelled %d, handlers %d\n", result == PTHREAD_CANCELED, handled);
  }
  Print("value %d\n", ValueOf(&never));
  sem_destroy(&never);
}

static void PostTwice(void* semaphore) {
  sem_post(semaphore);
  sem_post(semaphore);
}

static void Shared(void) {
  sem_t* semaphore = SharedMemory(sizeof(*semaphore));
  SHOW_VALUE(sem_init(semaphore, 1, 0));
  SHOW_VALUE(InChild(PostTwice, semaphore));
  SHOW_VALUE(sem_wait(semaphore));
  SHOW_VALUE(sem_trywait(semaphore));
  SHOW_VALUE(sem_trywait(semaphore));
  SHOW_VALUE(sem_destroy(semaphore));
}

static void PostNamed(void* name) {
  sem_t* semaphore = sem_open(name, 0);
  if (semaphore == SEM_FAILED) _exit(1);
  sem_post(semaphore);
  _exit(sem_close(semaphore) == 0 ? 0 : 2);
}

static void Named(void) {
  char name[64];
  struct timespec past = Past();
  snprintf(name, sizeof(name), "/lockwarden-conformance-%d", (int)getpid());
  errno = kUntouched;
  Print("not there: %d", sem_open(name, 0) == SEM_FAILED);
  Print(", errno %s\n", ErrorName(errno));
  errno = kUntouched;
  Print("too much: %d", sem_open(name, O_CREAT, 0600, (unsigned)INT_MAX + 1u) == SEM_FAILED);
  Print(", errno %s\n", ErrorName(errno));
  sem_t* semaphore = sem_open(name, O_CREAT | O_EXCL, 0600, 1);
  Print("opened %d\n", semaphore != SEM_FAILED);
  errno = kUntouched;
  Print("there already: %d", sem_open(name, O_CREAT | O_EXCL, 0600, 1) == SEM_FAILED);
  Print(", errno %s\n", ErrorName(errno));
  sem_t* again = sem_open(name, 0);
  Print("the same object: %d\n", semaphore == again);
  SHOW_VALUE(sem_wait(semaphore));
  SHOW_VALUE(sem_trywait(again));
  SHOW_VALUE(sem_timedwait(semaphore, &past));
  SHOW_VALUE(InChild(PostNamed, name));
  SHOW_VALUE(sem_wait(again));
  SHOW_VALUE(sem_clockwait(semaphore, CLOCK_MONOTONIC, &past));
  SHOW_VALUE(sem_close(again));
  SHOW_VALUE(sem_post(semaphore));
  Print("value %d\n", ValueOf(semaphore));
  SHOW_VALUE(sem_close(semaphore));
  SHOW_VALUE(sem_unlink(name));
  SHOW_VALUE(sem_unlink(name));
  sem_t none;
  SHOW_VALUE(sem_close(&none));
}

static sem_t ping, pong;
static void* Pong(void* unused) {
  (void)unused;
  for (int i = 0; i < 2000; ++i) {
    sem_wait(&ping);
    sem_post(&pong);
  }
  return NULL;
}

static void HandedOver(void) {
  pthread_t other;
  int rounds = 0;
  sem_init(&ping, 0, 0);
  sem_init(&pong, 0, 0);
  pthread_create(&other, NULL, Pong, NULL);
  for (int i = 0; i < 2000; ++i) {
    sem_post(&ping);
    rounds += sem_wait(&pong) == 0;
  }
  pthread_join(other, NULL);
  Print("rounds %d, left %d and %d\n", rounds, ValueOf(&ping), ValueOf(&pong));
}

const struct Row kSemaphoreRows[] = {
    {"sem_init sem_wait sem_trywait sem_timedwait sem_clockwait sem_post sem_destroy",
     "values and time-outs", Values},
    {"sem_wait sem_timedwait sem_clockwait", "interrupted by a signal", Interrupted},
    {"sem_wait sem_timedwait sem_clockwait", "cancelled", Cancelled},
    {"sem_init sem_wait sem_post", "shared with a child", Shared},
    {"sem_open sem_close sem_unlink sem_wait sem_trywait sem_timedwait sem_clockwait sem_post",
     "named", Named},
    {"sem_wait sem_post", "handed over between threads", HandedOver},
    {0}};
