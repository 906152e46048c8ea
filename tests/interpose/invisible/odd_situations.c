// What few programs do, and some must: waits that are left by longjmp, coroutines, objects that
// are unmapped by whoever they let go, cancellation anywhere, exec and vfork from many threads.
#include "situation.h"

#include <errno.h>
#include <semaphore.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <ucontext.h>
#include <unistd.h>

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_mutex_t other = PTHREAD_MUTEX_INITIALIZER;
static pthread_rwlock_t rwlock = PTHREAD_RWLOCK_INITIALIZER;
static pthread_cond_t condition = PTHREAD_COND_INITIALIZER;
static sem_t semaphore;

// A timer's handler jumps out of each kind of wait.

static sigjmp_buf out;
static volatile sig_atomic_t jump_now;
static void jump(int number) {
  (void)number;
  if (jump_now) siglongjmp(out, 1);
}
static void tick(int on) {
  const struct itimerval timer = {{0, on * 2000}, {0, on * 2000}};
  setitimer(ITIMER_REAL, &timer, NULL);
}

static void wait_on_semaphore(void) { sem_wait(&semaphore); }
static void wait_on_condition(void) {
  pthread_mutex_lock(&mutex);
  pthread_cond_wait(&condition, &mutex);
}
static void wait_to_read(void) { pthread_rwlock_rdlock(&rwlock); }
static void wait_for_mutex(void) { pthread_mutex_lock(&other); }
static pthread_t sleeper;
static void wait_for_thread(void) { pthread_join(sleeper, NULL); }

static void* hold_both(void* unused) {
  pthread_mutex_lock(&other);
  pthread_rwlock_wrlock(&rwlock);
  sem_post(&semaphore);
  for (;;) pause();
  return unused;
}

static sigset_t alarm_only(void) {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGALRM);
  return set;
}

static int jumps_out_of_waits(void) {
  static void (*const kWaits[])(void) = {wait_on_semaphore, wait_to_read, wait_for_mutex,
                                         wait_for_thread, wait_on_condition};
  sem_init(&semaphore, 0, 0);
  const sigset_t alarm = alarm_only();
  pthread_sigmask(SIG_BLOCK, &alarm, NULL);  // for the other thread
  pthread_create(&sleeper, NULL, hold_both, NULL);
  while (sem_wait(&semaphore) != 0) continue;
  signal(SIGALRM, jump);
  pthread_sigmask(SIG_UNBLOCK, &alarm, NULL);
  volatile int jumped = 0;
  for (volatile int round = 0; round < 100; ++round) {
    if (sigsetjmp(out, 1) == 0) {
      jump_now = 1;
      tick(1);
      kWaits[round % 4]();
    } else {
      ++jumped;
    }
    jump_now = 0;
    tick(0);
    if (workout("round") != 0) return 1;
  }
  // A condition's waiter may have its mutex back or not when the handler runs: once, at the end.
  if (sigsetjmp(out, 1) == 0) {
    jump_now = 1;
    tick(1);
    kWaits[4]();
  }
  jump_now = 0;
  tick(0);
  printf("jumped %d\n", jumped);
  return workout("after jumps");
}

// Coroutines that take locks, each on a stack of its own, and change places inside.

enum { kCoroutines = 3, kStack = 256 << 10 };
static ucontext_t scheduler, coroutines[kCoroutines];
static pthread_mutex_t of_coroutine[kCoroutines] = {
    PTHREAD_MUTEX_INITIALIZER, PTHREAD_MUTEX_INITIALIZER, PTHREAD_MUTEX_INITIALIZER};
static int steps;
static void coroutine(int me) {
  for (int i = 0; i < 200; ++i) {
    pthread_mutex_lock(&of_coroutine[me]);
    swapcontext(&coroutines[me], &scheduler);
    pthread_rwlock_rdlock(&rwlock);
    ++steps;
    swapcontext(&coroutines[me], &scheduler);
    pthread_rwlock_unlock(&rwlock);
    pthread_mutex_unlock(&of_coroutine[me]);
  }
}
static int coroutines_that_lock(void) {
  for (int i = 0; i < kCoroutines; ++i) {
    getcontext(&coroutines[i]);
    coroutines[i].uc_stack.ss_sp = malloc(kStack);
    coroutines[i].uc_stack.ss_size = kStack;
    coroutines[i].uc_link = &scheduler;
    makecontext(&coroutines[i], (void (*)(void))coroutine, 1, i);
  }
  start_busy_threads(1);
  for (int turn = 0; turn < 401 * kCoroutines; ++turn) {
    swapcontext(&scheduler, &coroutines[turn % kCoroutines]);
    if (turn % 100 == 0) {
      pthread_mutex_lock(&mutex);
      pthread_mutex_unlock(&mutex);
    }
  }
  printf("steps %d\n", steps);
  return workout("after coroutines");
}

// Objects whose memory goes as soon as they let a thread go.

struct page {
  sem_t semaphore;
  pthread_mutex_t mutex;
  pthread_barrier_t barrier;
  pthread_cond_t condition;
  int ready;
};
static struct page* volatile handed;
static sem_t has_page, is_done;
static struct page* new_page(void) {
  struct page* page =
      mmap(NULL, sizeof *page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  need(page != MAP_FAILED, "a page");
  sem_init(&page->semaphore, 0, 0);
  pthread_mutex_init(&page->mutex, NULL);
  pthread_barrier_init(&page->barrier, NULL, 2);
  pthread_cond_init(&page->condition, NULL);
  return page;
}
static void* lets_go(void* rounds) {
  for (long i = 0; i < *(long*)rounds; ++i) {
    while (sem_wait(&has_page) != 0) continue;
    struct page* page = handed;
    switch (i % 3) {
      case 0:
        sem_post(&page->semaphore);
        break;  // the last touch, each time
      case 1:
        pthread_barrier_wait(&page->barrier);
        break;
      default:
        pthread_mutex_lock(&page->mutex);
        page->ready = 1;
        pthread_cond_signal(&page->condition);
        pthread_mutex_unlock(&page->mutex);
    }
    sem_post(&is_done);
  }
  return NULL;
}
static int memory_that_goes(void) {
  long rounds = 3000;
  sem_init(&has_page, 0, 0);
  sem_init(&is_done, 0, 0);
  pthread_t thread;
  pthread_create(&thread, NULL, lets_go, &rounds);
  for (long i = 0; i < rounds; ++i) {
    struct page* page = handed = new_page();
    sem_post(&has_page);
    switch (i % 3) {
      case 0:
        while (sem_wait(&page->semaphore) != 0) continue;
        break;
      case 1:
        pthread_barrier_wait(&page->barrier);
        pthread_barrier_destroy(&page->barrier);
        break;
      default:
        pthread_mutex_lock(&page->mutex);
        while (!page->ready) pthread_cond_wait(&page->condition, &page->mutex);
        pthread_mutex_unlock(&page->mutex);
        pthread_cond_destroy(&page->condition);
        pthread_mutex_lock(&page->mutex);  // until the other has let go of it
        pthread_mutex_unlock(&page->mutex);
        pthread_mutex_destroy(&page->mutex);
    }
    munmap(page, sizeof *page);
    while (sem_wait(&is_done) != 0) continue;
  }
  pthread_join(thread, NULL);
  return workout("after unmapping");
}

// The same memory, as a lock of another kind each time, destroyed or not.

static int memory_of_many_kinds(void) {
  union {
    pthread_mutex_t mutex;
    pthread_rwlock_t rwlock;
    sem_t semaphore;
    pthread_spinlock_t spin;
  } object;
  int sum = 0;
  start_busy_threads(1);
  for (int i = 0; i < 2000; ++i) {
    memset(&object, 0, sizeof object);
    switch (i * 7 % 4) {
      case 0:
        sum += pthread_mutex_lock(&object.mutex) + pthread_mutex_unlock(&object.mutex);
        break;
      case 1:
        sum += pthread_rwlock_rdlock(&object.rwlock) + pthread_rwlock_unlock(&object.rwlock);
        break;
      case 2:
        sem_init(&object.semaphore, 0, 1);
        sum += sem_wait(&object.semaphore) + sem_post(&object.semaphore);
        break;
      default:
        pthread_spin_init(&object.spin, 0);
        sum += pthread_spin_lock(&object.spin) + pthread_spin_unlock(&object.spin);
    }
  }
  printf("errors %d\n", sum);
  return workout("after many kinds");
}

// A handler forks while the thread that it interrupts waits; the child goes on waiting.

static volatile sig_atomic_t children;
static void fork_here(int number) {
  (void)number;
  if (children >= 5) return;
  const pid_t child = fork();
  if (child > 0) {
    ++children;
    int status = 0;
    while (waitpid(child, &status, 0) < 0 && errno == EINTR) continue;
    if (WEXITSTATUS(status) != 9) _exit(50);
    if (children == 5) sem_post(&semaphore);
    return;
  }
  pthread_mutex_lock(&mutex);
  pthread_mutex_unlock(&mutex);
  sem_post(&semaphore);  // for itself: a child has memory of its own
  children = 100;
}
static int forks_out_of_a_wait(void) {
  for (int restart = 0; restart < 2; ++restart) {
    struct sigaction action;
    memset(&action, 0, sizeof action);
    action.sa_handler = fork_here;
    action.sa_flags = restart ? SA_RESTART : 0;
    sigaction(SIGALRM, &action, NULL);
    sem_init(&semaphore, 0, 0);
    children = 0;
    tick(1);
    while (sem_wait(&semaphore) != 0) continue;
    tick(0);
    if (children == 100) _exit(workout("child") == 0 ? 9 : 10);
    printf("children %d\n", (int)children);
  }
  return workout("after forks");
}

// Cancelled anywhere, with locks held that a clean-up gives back.

static void give_back(void* lock) { pthread_mutex_unlock(lock); }
static void* cancelled_holding(void* kind) {
  const struct timespec year = {time(NULL) + 30000000, 0};
  pthread_mutex_lock(&mutex);
  pthread_cleanup_push(give_back, &mutex);
  sem_post(&is_done);
  for (;;) {
    switch ((long)kind) {
      case 0:
        sem_wait(&semaphore);
        break;
      case 1:
        sem_timedwait(&semaphore, &year);
        break;
      case 2:
        sem_clockwait(&semaphore, CLOCK_REALTIME, &year);
        break;
      case 3:
        pause();
        break;
      default:
        usleep(1000000);
    }
  }
  pthread_cleanup_pop(1);
  return NULL;
}
static int cancelled_waits(void) {
  sem_init(&semaphore, 0, 0);
  sem_init(&is_done, 0, 0);
  for (long i = 0; i < 200; ++i) {
    pthread_t thread;
    void* result = NULL;
    pthread_create(&thread, NULL, cancelled_holding, (void*)(i % 5));
    while (sem_wait(&is_done) != 0) continue;
    pthread_cancel(thread);
    pthread_join(thread, &result);
    if (result != PTHREAD_CANCELED || pthread_mutex_trylock(&mutex) != 0) return 60;
    pthread_mutex_unlock(&mutex);
  }
  return workout("after cancellations");
}

// New processes by vfork and posix_spawn, from several threads that also lock.

static void* starts_processes(void* failed) {
  for (int i = 0; i < 40; ++i) {
    pthread_mutex_lock(&mutex);
    pthread_mutex_unlock(&mutex);
    const pid_t child = vfork();
    if (child == 0) {
      execl("/bin/true", "true", (char*)NULL);
      _exit(1);
    }
    int status = 1;
    while (waitpid(child, &status, 0) < 0 && errno == EINTR) continue;
    if (status != 0) __atomic_store_n((int*)failed, 1, __ATOMIC_RELAXED);
  }
  return NULL;
}
static int vfork_storm(void) {
  pthread_t threads[3];
  int failed = 0;
  for (int i = 0; i < 3; ++i) pthread_create(&threads[i], NULL, starts_processes, &failed);
  for (int i = 0; i < 3; ++i) pthread_join(threads[i], NULL);
  printf("failed %d\n", failed);
  return workout("after processes");
}

// Destructors of thread-specific data that lock, wait and make further data.

static pthread_key_t key;
static int destroyed;
static void destroy(void* left) {
  pthread_mutex_lock(&mutex);
  ++destroyed;
  pthread_mutex_unlock(&mutex);
  pthread_rwlock_rdlock(&rwlock);
  pthread_rwlock_unlock(&rwlock);
  if ((long)left > 1) pthread_setspecific(key, (void*)((long)left - 1));
}
static void* with_data(void* left) {
  pthread_setspecific(key, left);
  pthread_mutex_lock(&other);
  pthread_mutex_unlock(&other);
  return NULL;
}
static int destructors_that_lock(void) {
  pthread_key_create(&key, destroy);
  for (long i = 0; i < 100; ++i) {
    pthread_t thread;
    pthread_create(&thread, NULL, with_data, (void*)(i % 4 + 1));
    pthread_join(thread, NULL);
  }
  printf("destroyed %d\n", destroyed);
  return workout("after destructors");
}

const struct situation odd_situations[] = {{"odd-jumps-out-of-waits", jumps_out_of_waits},
                                           {"odd-coroutines", coroutines_that_lock},
                                           {"odd-memory-that-goes", memory_that_goes},
                                           {"odd-memory-of-many-kinds", memory_of_many_kinds},
                                           {"odd-forks-out-of-a-wait", forks_out_of_a_wait},
                                           {"odd-cancelled-waits", cancelled_waits},
                                           {"odd-vfork-storm", vfork_storm},
                                           {"odd-destructors", destructors_that_lock},
                                           {NULL, NULL}};
