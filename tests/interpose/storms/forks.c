// Forks from several threads at once, while others lock; children that use everything,
// fork again, or exec.
#include "storm.h"

#include <errno.h>
#include <sched.h>
#include <semaphore.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

enum { kForkers = 4, kLockers = 3, kLocks = 16 };

static pthread_mutex_t around_fork = PTHREAD_MUTEX_INITIALIZER;  // taken by the fork handlers
static pthread_mutex_t locks[kLocks];
static pthread_rwlock_t rwlock = PTHREAD_RWLOCK_INITIALIZER;
static atomic_int stop;
static atomic_long forked, right;

static void Before(void) { MUST(pthread_mutex_lock(&around_fork) == 0); }
static void After(void) { MUST(pthread_mutex_unlock(&around_fork) == 0); }

static void* LockUntilStopped(void* seed) {
  uint64_t state = (uint64_t)(uintptr_t)seed;
  while (!stop) {
    pthread_mutex_t* mutex = &locks[Next(&state) % kLocks];
    MUST(pthread_mutex_lock(mutex) == 0);
    MUST(pthread_rwlock_rdlock(&rwlock) == 0);
    MUST(pthread_rwlock_unlock(&rwlock) == 0);
    MUST(pthread_mutex_unlock(mutex) == 0);
    MUST(pthread_mutex_lock(&around_fork) == 0);
    MUST(pthread_mutex_unlock(&around_fork) == 0);
  }
  return NULL;
}

static void* Return(void* result) { return result; }

static int Waited(pid_t child) {
  int status = 0;
  pid_t result;
  do result = waitpid(child, &status, 0);
  while (result == -1 && errno == EINTR);
  MUST(result == child);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
}

// In the child there is one thread, and what others held stays locked for ever.
static int UseEverything(uint64_t* state, int depth) {
  pthread_mutex_t own = PTHREAD_MUTEX_INITIALIZER;
  sem_t semaphore;
  pthread_t thread;
  void* result = NULL;
  MUST(pthread_mutex_lock(&around_fork) == 0);  // released by the handlers
  MUST(pthread_mutex_lock(&own) == 0);
  for (int i = 0; i < kLocks; ++i) {
    const int answer = pthread_mutex_trylock(&locks[i]);
    MUST(answer == 0 || answer == EBUSY);
    if (answer == 0) MUST(pthread_mutex_unlock(&locks[i]) == 0);
  }
  MUST(sem_init(&semaphore, 0, 1) == 0 && sem_wait(&semaphore) == 0);
  MUST(pthread_mutex_unlock(&own) == 0);
  MUST(pthread_mutex_unlock(&around_fork) == 0);
  MUST(pthread_create(&thread, NULL, Return, &own) == 0);
  MUST(pthread_join(thread, &result) == 0 && result == &own);
  if (depth == 0 && Next(state) % 4 == 0) {
    const pid_t child = fork();
    if (child == 0) _exit(UseEverything(state, 1));
    return Waited(child) + 1;
  }
  return 40 + depth;
}

// Apart: what vfork's child does to the frame of its caller must touch nothing here.
__attribute__((noinline)) static pid_t ForkLikeASpawn(void) {
  const pid_t child = vfork();
  if (child == 0) _exit(41);
  return child;
}

static void* ForkOften(void* argument) {
  const uint64_t* arguments = argument;
  uint64_t state = arguments[0];
  for (uint64_t i = 0; i < arguments[1]; ++i) {
    const uint64_t what = Next(&state) % 8;
    uint64_t child_state = Next(&state);
    const uint64_t again = child_state;
    pthread_mutex_t* held = &locks[Next(&state) % kLocks];
    if (what == 1) MUST(pthread_mutex_lock(held) == 0);
    // _Fork runs no handlers.
    const pid_t child = what == 2 ? ForkLikeASpawn() : what == 3 ? _Fork() : fork();
    if (child == 0) {
      if (what == 3) {
        const int answer = pthread_mutex_trylock(&locks[0]);
        _exit(answer == 0 || answer == EBUSY ? 41 : 0);
      }
      if (what == 4) {
        execl("/bin/sh", "sh", "-c", "exit 41", (char*)NULL);
        _exit(99);
      }
      if (what == 5) raise(SIGKILL);
      if (what == 1) MUST(pthread_mutex_unlock(held) == 0);  // its holder's copy is this one
      _exit(UseEverything(&child_state, 0));
    }
    MUST(child > 0);
    if (what == 1) MUST(pthread_mutex_unlock(held) == 0);
    uint64_t same = again;
    const int nested = Next(&same) % 4 == 0;
    const int expected = what >= 2 && what <= 4 ? 41
                         : what == 5            ? 1000 + SIGKILL
                         : nested               ? 42
                                                : 40;
    const int status = Waited(child);
    if (status != expected) {
      fprintf(stderr, "a child of kind %d ended with %d, not %d\n", (int)what, status, expected);
    }
    ++forked;
    right += status == expected;
  }
  return NULL;
}

void Forks(uint64_t seed, int rounds) {
  uint64_t state = seed;
  pthread_t lockers[kLockers], forkers[kForkers];
  uint64_t arguments[kForkers][2];
  for (int i = 0; i < kLocks; ++i) pthread_mutex_init(&locks[i], NULL);
  MUST(pthread_atfork(Before, After, After) == 0);
  for (int i = 0; i < kLockers; ++i) {
    MUST(pthread_create(&lockers[i], NULL, LockUntilStopped, (void*)(uintptr_t)Next(&state)) == 0);
  }
  for (int i = 0; i < kForkers; ++i) {
    arguments[i][0] = Next(&state);
    arguments[i][1] = (uint64_t)rounds / kForkers;
    MUST(pthread_create(&forkers[i], NULL, ForkOften, arguments[i]) == 0);
  }
  for (int i = 0; i < kForkers; ++i) MUST(pthread_join(forkers[i], NULL) == 0);
  stop = 1;
  for (int i = 0; i < kLockers; ++i) MUST(pthread_join(lockers[i], NULL) == 0);
  printf("forked %ld, right %ld\n", atomic_load(&forked), atomic_load(&right));
}
