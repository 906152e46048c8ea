// Programs that wait, in ways that are no deadlock, and deadlocks that need several processes.
//
//   waits MODE [FILE FILE]    prints "ready" when the situation stands, or is about to
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t condition = PTHREAD_COND_INITIALIZER;
static sem_t semaphore;

static void ready(void) {
  puts("ready");
  fflush(stdout);
}

static void* locks(void* unused) {
  pthread_mutex_lock(&mutex);
  return unused;
}

static void* waits_for_work(void* unused) {
  pthread_mutex_lock(&mutex);
  for (;;) pthread_cond_wait(&condition, &mutex);
  return unused;
}

static void spawn(void* (*body)(void*)) {
  pthread_t thread;
  if (pthread_create(&thread, NULL, body, NULL) != 0) abort();
}

static void post(int number) {
  (void)number;
  sem_post(&semaphore);
}

// Two threads wait for a mutex whose holder reads from a pipe.
static void behind_a_read(void) {
  int ends[2];
  char byte;
  if (pipe(ends) != 0) abort();
  pthread_mutex_lock(&mutex);
  spawn(locks);
  spawn(locks);
  ready();
  if (read(ends[0], &byte, 1) < 0) abort();
}

// All asleep, as it should be, until a signal ends it.
static void until_a_signal(void) {
  struct sigaction action;
  memset(&action, 0, sizeof action);
  action.sa_handler = post;
  sigaction(SIGTERM, &action, NULL);
  sem_init(&semaphore, 0, 0);
  spawn(waits_for_work);
  ready();
  while (sem_wait(&semaphore) != 0 && errno == EINTR) {
  }
}

// The same without a handler.
static void workers_idle(void) {
  sigset_t all;
  int number;
  sigfillset(&all);
  pthread_sigmask(SIG_BLOCK, &all, NULL);
  spawn(waits_for_work);
  spawn(waits_for_work);
  ready();
  sigwait(&all, &number);
}

// Each waits for a mutex of the other's, with a time limit.
static void timed(void) {
  struct timespec late;
  clock_gettime(CLOCK_REALTIME, &late);
  late.tv_sec += 3600;
  pthread_mutex_lock(&mutex);
  ready();
  pthread_mutex_timedlock(&mutex, &late);
}

// What two processes share: each meets the other at the barrier when it has its first lock.
struct Page {
  pthread_mutex_t lock[2];
  pthread_barrier_t both;
};
static struct Page* share(void) {
  struct Page* page =
      mmap(NULL, sizeof *page, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (page == MAP_FAILED) abort();
  pthread_mutexattr_t shared;
  pthread_mutexattr_init(&shared);
  pthread_mutexattr_setpshared(&shared, PTHREAD_PROCESS_SHARED);
  pthread_mutex_init(&page->lock[0], &shared);
  pthread_mutex_init(&page->lock[1], &shared);
  pthread_barrierattr_t meeting;
  pthread_barrierattr_init(&meeting);
  pthread_barrierattr_setpshared(&meeting, PTHREAD_PROCESS_SHARED);
  pthread_barrier_init(&page->both, &meeting, 2);
  return page;
}

// Two processes, two mutexes in memory that they share.
static void shared_mutexes(void) {
  struct Page* page = share();
  const int mine = fork() == 0;
  pthread_mutex_lock(&page->lock[mine]);
  pthread_barrier_wait(&page->both);
  if (mine) ready();
  pthread_mutex_lock(&page->lock[!mine]);
}

// Two processes, two files.
static void files(char** names) {
  struct Page* page = share();
  const int mine = fork() == 0;
  const int one = open(names[mine], O_RDWR | O_CREAT, 0600);
  const int other = open(names[!mine], O_RDWR | O_CREAT, 0600);
  flock(one, LOCK_EX);
  pthread_barrier_wait(&page->both);
  if (mine) ready();
  flock(other, LOCK_EX);
}

int main(int argc, char** argv) {
  const char* mode = argc > 1 ? argv[1] : "";
  if (strcmp(mode, "behind_a_read") == 0) behind_a_read();
  if (strcmp(mode, "until_a_signal") == 0) until_a_signal();
  if (strcmp(mode, "workers_idle") == 0) workers_idle();
  if (strcmp(mode, "timed") == 0) timed();
  if (strcmp(mode, "shared_mutexes") == 0) shared_mutexes();
  if (strcmp(mode, "files") == 0 && argc > 3) files(argv + 2);
  return 1;
}
