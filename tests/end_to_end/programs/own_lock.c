// Threads that take two locks of the program's own making crosswise. Nothing of Lockwarden is
// linked: the annotations are found in the preload, or not at all.
//
//   own_lock futex|spin|yield|mixed           deadlocks
//   own_lock WAY healthy                             in one order, many times
//   own_lock inverted                                crosswise, one thread first and then the other
//   own_lock gives_up                                waits crosswise, but not for ever
#include <linux/futex.h>
#include <lockwarden/annotate.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum { kRounds = 2000, kTries = 100 };

struct own_lock {
  long before;      // so that the word is not at the lock's address
  atomic_int word;  // 0 free, 1 taken, 2 taken and perhaps waited for
};

static struct own_lock first, second;
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_barrier_t both_hold_one;
static sem_t up_is_done;
static const char* way;
static int shared_count;

static int is(const char* name) { return strcmp(way, name) == 0; }

static int try_take(struct own_lock* lock, int taken) {
  int expected = 0;
  return atomic_compare_exchange_strong(&lock->word, &expected, taken);
}

static void wait_and_take(struct own_lock* lock) {
  if (is("spin") || is("yield")) {
    while (!try_take(lock, 1)) {
      if (is("yield")) sched_yield();
    }
    return;
  }
  while (atomic_exchange(&lock->word, 2) != 0) {
    syscall(SYS_futex, &lock->word, FUTEX_WAIT_PRIVATE, 2, NULL, NULL, 0);
  }
}

__attribute__((noinline)) static void own_lock(struct own_lock* lock) {
  lockwarden_about_to_wait(lock);
  if (!try_take(lock, 1)) wait_and_take(lock);
  lockwarden_acquired(lock);
}

static void own_unlock(struct own_lock* lock) {
  lockwarden_released(lock);
  if (atomic_exchange(&lock->word, 0) == 2) {
    syscall(SYS_futex, &lock->word, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
  }
}

static int lock_or_give_up(struct own_lock* lock) {
  for (int i = 0; i < kTries; ++i) {
    if (try_take(lock, 1)) {
      lockwarden_acquired(lock);
      return 1;
    }
    const struct timespec pause = {0, 2000000};
    nanosleep(&pause, NULL);
  }
  return 0;
}

static void* up(void* unused) {
  own_lock(&first);
  if (!is("inverted")) pthread_barrier_wait(&both_hold_one);
  if (is("mixed")) {
    pthread_mutex_lock(&mutex);
  } else if (is("gives_up")) {
    if (lock_or_give_up(&second)) own_unlock(&second);
  } else {
    own_lock(&second);
    own_unlock(&second);
  }
  own_unlock(&first);
  sem_post(&up_is_done);
  return unused;
}

static void* down(void* unused) {
  if (is("inverted")) sem_wait(&up_is_done);
  if (is("mixed")) {
    pthread_mutex_lock(&mutex);
  } else {
    own_lock(&second);
  }
  if (!is("inverted")) pthread_barrier_wait(&both_hold_one);
  if (is("gives_up")) {
    if (lock_or_give_up(&first)) own_unlock(&first);
  } else {
    own_lock(&first);
    own_unlock(&first);
  }
  if (!is("mixed")) own_unlock(&second);
  return unused;
}

static void* healthy(void* unused) {
  for (int i = 0; i < kRounds; ++i) {
    own_lock(&first);
    own_lock(&second);
    ++shared_count;
    own_unlock(&second);
    own_unlock(&first);
  }
  return unused;
}

int main(int argc, char** argv) {
  way = argc > 1 ? argv[1] : "";
  const int is_healthy = argc > 2 && strcmp(argv[2], "healthy") == 0;
  pthread_t a, b;
  pthread_barrier_init(&both_hold_one, NULL, 2);
  lockwarden_named(&first, "first");
  lockwarden_named(&second, "second");
  if (pthread_create(&a, NULL, is_healthy ? healthy : up, NULL) != 0) return 1;
  if (pthread_create(&b, NULL, is_healthy ? healthy : down, NULL) != 0) return 1;
  pthread_join(a, NULL);
  pthread_join(b, NULL);
  if (is_healthy && shared_count != 2 * kRounds) return 2;
  lockwarden_destroyed(&first);
  puts("done");
  return 0;
}
