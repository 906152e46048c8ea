// Everything at once: threads that come and go, forks, cancellations, signals, libraries.
#include "storm.h"

#include <dlfcn.h>
#include <errno.h>
#include <sched.h>
#include <semaphore.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

enum { kAtOnce = 5 };

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER, inner = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t condition = PTHREAD_COND_INITIALIZER;
static pthread_rwlock_t rwlock = PTHREAD_RWLOCK_INITIALIZER;
static sem_t ticks;
static atomic_long forked, right, opened, locked, cancelled;

static void Tick(int signal) {
  const int error = errno;
  (void)signal;
  MUST(sem_post(&ticks) == 0);
  if (sem_trywait(&ticks) != 0) MUST(errno == EAGAIN);
  errno = error;
}

static void Unlock(void* m) { pthread_mutex_unlock(m); }

static void Fork(void) {
  const pid_t child = fork();
  if (child == 0) {
    pthread_mutex_t own = PTHREAD_MUTEX_INITIALIZER;
    pthread_mutex_lock(&own);
    pthread_mutex_unlock(&own);
    _exit(pthread_mutex_trylock(&inner) == EINVAL ? 1 : 7);
  }
  int status = 0;
  while (waitpid(child, &status, 0) == -1) MUST(errno == EINTR);
  ++forked;
  right += WIFEXITED(status) && WEXITSTATUS(status) == 7;
}

static void Open(uint64_t which) {
  int before;
  pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &before);  // dlopen is no place to be cancelled
  void* library = dlopen(plugin_paths[which % (uint64_t)plugin_count], RTLD_NOW);
  MUST(library != NULL);
  MUST(((int (*)(void))dlsym(library, "PluginAnswer"))() == 1);
  MUST(dlclose(library) == 0);
  ++opened;
  pthread_setcancelstate(before, NULL);
}

static void WaitAMoment(void) {
  struct timespec soon = InAMoment(CLOCK_REALTIME);
  MUST(pthread_mutex_lock(&mutex) == 0);
  pthread_cleanup_push(Unlock, &mutex);
  pthread_cond_timedwait(&condition, &mutex, &soon);
  pthread_cleanup_pop(1);
}
static void WaitUntilCancelled(void) {
  MUST(pthread_mutex_lock(&mutex) == 0);
  pthread_cleanup_push(Unlock, &mutex);
  for (;;) pthread_cond_wait(&condition, &mutex);
  pthread_cleanup_pop(1);
}

static void* Work(void* argument) {
  uint64_t state = (uint64_t)(uintptr_t)argument;
  int before;
  for (int i = 0; i < 20; ++i) {
    switch (Next(&state) % 10) {
      case 0:
        // Cancelled between fork and wait it would leave a child behind.
        pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &before);
        if (Next(&state) % 4 == 0) Fork();
        pthread_setcancelstate(before, NULL);
        break;
      case 1:
        if (Next(&state) % 4 == 0) Open(Next(&state));
        break;
      case 2:
        WaitAMoment();
        break;
      case 3:
        pthread_cond_broadcast(&condition);
        break;
      case 4:
        MUST(pthread_rwlock_wrlock(&rwlock) == 0);
        MUST(pthread_rwlock_unlock(&rwlock) == 0);
        break;
      case 5: {
        struct timespec soon = InAMoment(CLOCK_MONOTONIC);
        const int result = pthread_mutex_clocklock(&inner, CLOCK_MONOTONIC, &soon);
        MUST(result == 0 || result == ETIMEDOUT);
        if (result == 0) MUST(pthread_mutex_unlock(&inner) == 0);
        break;
      }
      default:
        MUST(pthread_mutex_lock(&mutex) == 0);
        MUST(pthread_rwlock_rdlock(&rwlock) == 0);
        MUST(pthread_mutex_lock(&inner) == 0);
        ++locked;
        MUST(pthread_mutex_unlock(&inner) == 0);
        MUST(pthread_rwlock_unlock(&rwlock) == 0);
        MUST(pthread_mutex_unlock(&mutex) == 0);
    }
  }
  WaitUntilCancelled();
  return NULL;
}

void Mixed(uint64_t seed, int rounds) {
  uint64_t state = seed;
  struct sigaction tick = {.sa_handler = Tick, .sa_flags = SA_RESTART};
  MUST(plugin_count > 0);
  sem_init(&ticks, 0, 0);
  sigaction(SIGUSR1, &tick, NULL);
  for (int round = 0; round < rounds; round += kAtOnce) {
    pthread_t threads[kAtOnce];
    for (int i = 0; i < kAtOnce; ++i) {
      MUST(pthread_create(&threads[i], NULL, Work, (void*)(uintptr_t)Next(&state)) == 0);
    }
    for (int i = 0; i < 40; ++i) {
      MUST(pthread_kill(threads[Next(&state) % kAtOnce], SIGUSR1) == 0);
      sched_yield();
    }
    for (int i = 0; i < kAtOnce; ++i) {
      void* result = NULL;
      MUST(pthread_cancel(threads[i]) == 0);
      MUST(pthread_join(threads[i], &result) == 0);
      cancelled += result == PTHREAD_CANCELED;
    }
  }
  MUST(pthread_mutex_trylock(&mutex) == 0 && pthread_mutex_trylock(&inner) == 0);
  MUST(pthread_rwlock_trywrlock(&rwlock) == 0);
  printf("cancelled %ld, every child right %d\n", atomic_load(&cancelled), forked == right);
}
