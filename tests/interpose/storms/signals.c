// Handlers that lock, post and try, while hooks of the interrupted thread run.
//
// A handler's own mutex is taken nowhere else and with all signals blocked; what the
// interrupted code may hold is only tried. Left handlers jump out of waits.
#include "storm.h"

#include <errno.h>
#include <sched.h>
#include <semaphore.h>
#include <setjmp.h>
#include <signal.h>
#include <unistd.h>

enum { kWorkers = 4, kSenders = 2, kLocks = 4 };

// ThreadSanitizer calls handlers late and with all signals blocked. A thread that jumps out of one
// keeps them blocked at times, with or without Lockwarden, and then waits for good.
#ifdef __SANITIZE_THREAD__
enum { kJumps = 0 };
#else
enum { kJumps = 1 };
#endif

static pthread_mutex_t in_handlers = PTHREAD_MUTEX_INITIALIZER;
static long handled_together;  // under in_handlers
static atomic_long handled, posted, left_waits, worked;
static pthread_mutex_t locks[kLocks];
static long guarded[kLocks];
static pthread_rwlock_t rwlock = PTHREAD_RWLOCK_INITIALIZER;
static sem_t units;
static atomic_int stop, ready;
static pthread_t workers[kWorkers];
static __thread uint64_t handler_state;
static __thread sigjmp_buf* outside;

static void Handle(int signal) {
  const int error = errno;
  pthread_mutex_t* tried = &locks[Next(&handler_state) % kLocks];
  ++handled;
  if (signal == SIGUSR1) {
    MUST(pthread_mutex_lock(&in_handlers) == 0);
    ++handled_together;
    MUST(pthread_mutex_unlock(&in_handlers) == 0);
  } else {
    pthread_mutex_lock(&in_handlers);
    ++handled_together;
    pthread_mutex_unlock(&in_handlers);
    if (pthread_mutex_trylock(tried) == 0) {
      ++guarded[tried - locks];
      --guarded[tried - locks];
      MUST(pthread_mutex_unlock(tried) == 0);
    }
  }
  if (pthread_rwlock_tryrdlock(&rwlock) == 0) MUST(pthread_rwlock_unlock(&rwlock) == 0);
  MUST(sem_post(&units) == 0);
  ++posted;
  errno = error;
}

// Jumps out of a wait, once each.
static void Leave(int signal) {
  (void)signal;
  if (outside != NULL) {
    sigjmp_buf* to = outside;
    outside = NULL;
    siglongjmp(*to, 1);
  }
}

static void LeaveAWait(void) {
  static _Thread_local sem_t never;
  sigjmp_buf here;
  sem_init(&never, 0, 0);
  if (sigsetjmp(here, 1) == 0) {
    outside = &here;
    for (;;) sem_wait(&never);
  }
  ++left_waits;
}

static void* Work(void* argument) {
  uint64_t state = *(uint64_t*)argument;
  handler_state = Next(&state);
  ++ready;
  while (!stop) {
    struct timespec soon;
    pthread_mutex_t* mutex = &locks[Next(&state) % kLocks];
    switch (Next(&state) % 8) {
      case 0:
        MUST(pthread_rwlock_rdlock(&rwlock) == 0);
        MUST(pthread_rwlock_unlock(&rwlock) == 0);
        break;
      case 1:
        MUST(pthread_rwlock_wrlock(&rwlock) == 0);
        MUST(pthread_rwlock_unlock(&rwlock) == 0);
        break;
      case 2:
        while (sem_trywait(&units) == 0) --posted;
        break;
      case 3:
        soon = InAMoment(CLOCK_MONOTONIC);
        if (sem_clockwait(&units, CLOCK_MONOTONIC, &soon) == 0) --posted;
        break;
      case 4:
        if (kJumps && Next(&state) % 16 == 0) LeaveAWait();
        break;
      default:
        MUST(pthread_mutex_lock(mutex) == 0);
        ++guarded[mutex - locks];
        ++worked;
        MUST(pthread_mutex_unlock(mutex) == 0);
    }
  }
  return NULL;
}

static atomic_long sent;
static void* Send(void* argument) {
  const uint64_t* arguments = argument;
  uint64_t state = arguments[0];
  for (uint64_t i = 0; i < arguments[1]; ++i) {
    const uint64_t which = Next(&state) % 8;
    const int signal = which == 0 ? SIGALRM : which < 5 ? SIGUSR1 : SIGUSR2;
    MUST(pthread_kill(workers[Next(&state) % kWorkers], signal) == 0);
    ++sent;
    if (i % 8 == 0) sched_yield();
  }
  return NULL;
}

void Signals(uint64_t seed, int rounds) {
  uint64_t state = seed, worker_seeds[kWorkers], sender_arguments[kSenders][2];
  pthread_t senders[kSenders];
  struct sigaction handle = {.sa_handler = Handle}, leave = {.sa_handler = Leave};
  sigfillset(&handle.sa_mask);
  sigfillset(&leave.sa_mask);
  sem_init(&units, 0, 0);
  for (int i = 0; i < kLocks; ++i) pthread_mutex_init(&locks[i], NULL);
  sigaction(SIGUSR1, &handle, NULL);
  sigaction(SIGUSR2, &handle, NULL);
  sigaction(SIGALRM, &leave, NULL);
  for (int i = 0; i < kWorkers; ++i) {
    worker_seeds[i] = Next(&state);
    MUST(pthread_create(&workers[i], NULL, Work, &worker_seeds[i]) == 0);
  }
  while (ready != kWorkers) sched_yield();
  for (int i = 0; i < kSenders; ++i) {
    sender_arguments[i][0] = Next(&state);
    sender_arguments[i][1] = (uint64_t)rounds / kSenders;
    MUST(pthread_create(&senders[i], NULL, Send, sender_arguments[i]) == 0);
  }
  for (int i = 0; i < kSenders; ++i) MUST(pthread_join(senders[i], NULL) == 0);
  stop = 1;
  // A worker may sit in a wait that only a signal ends.
  for (int i = 0; i < kWorkers; ++i) {
    while (pthread_tryjoin_np(workers[i], NULL) == EBUSY) {
      pthread_kill(workers[i], SIGALRM);
      sched_yield();
    }
  }
  long sum = 0;
  for (int i = 0; i < kLocks; ++i) {
    MUST(pthread_mutex_trylock(&locks[i]) == 0);
    sum += guarded[i];
  }
  int left = 0;
  sem_getvalue(&units, &left);
  printf("sent %ld, handled some %d, all counted %d, units lost %ld, guarded right %d\n",
         atomic_load(&sent), handled > 0, handled == handled_together,
         atomic_load(&posted) - left, sum == worked);
}
