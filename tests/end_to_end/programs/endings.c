// Threads that end, each in a way of its own; the way is the argument. Where something is to
// be seen while the program lives, it lives until its standard input ends.
//
//   joined      pthread_exit while holding a mutex; joined
//   detached    the same by a detached thread
//   wanted      the same, and another thread wants the mutex
//   robust      a robust mutex, which the next thread takes over
//   released    holding at pthread_exit, but released by a destructor
//   cancelled   cancelled in a condition wait; the cleanup handler releases the mutex
//   main_last   the main thread ends first, the other goes on
//   main_gone   the main thread ends first, the other waits for nobody
//   names       threads with names, given by others and by themselves, take locks in inverted
//               order; then the process is killed
#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER, other = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t condition = PTHREAD_COND_INITIALIZER;
static pthread_key_t key;
static sem_t never, started;

static void UntilEndOfInput(void) {
  char byte;
  while (read(STDIN_FILENO, &byte, 1) > 0) {
  }
}

static void* TakeAndExit(void* result) {
  pthread_mutex_lock(&mutex);
  pthread_exit(result);
}
static void* Want(void* unused) {
  if (pthread_mutex_lock(&mutex) == EOWNERDEAD) pthread_mutex_consistent(&mutex);
  pthread_mutex_unlock(&mutex);
  return unused;
}
static void Release(void* m) { pthread_mutex_unlock(m); }
static void* TakeAndLeaveToTheDestructor(void* unused) {
  pthread_setspecific(key, &mutex);
  pthread_mutex_lock(&mutex);
  pthread_exit(unused);
}
static void* WaitOnCondition(void* unused) {
  pthread_mutex_lock(&mutex);
  pthread_cleanup_push(Release, &mutex);
  sem_post(&started);
  while (1) pthread_cond_wait(&condition, &mutex);
  pthread_cleanup_pop(0);
  return unused;
}
static void* GoOn(void* unused) {
  UntilEndOfInput();
  Want(unused);
  puts("done");
  exit(0);
}
static void* WaitForNobody(void* unused) {
  sem_wait(&never);
  return unused;
}
static void* Forth(void* unused) {
  pthread_mutex_lock(&mutex);
  pthread_mutex_lock(&other);
  pthread_mutex_unlock(&other);
  pthread_mutex_unlock(&mutex);
  sem_post(&started);
  return WaitForNobody(unused);
}
static void* Back(void* unused) {
  pthread_setname_np(pthread_self(), "named itself");
  pthread_mutex_lock(&other);
  pthread_mutex_lock(&mutex);
  pthread_mutex_unlock(&mutex);
  pthread_mutex_unlock(&other);
  sem_post(&started);
  return WaitForNobody(unused);
}

static pthread_t Start(void* (*routine)(void*)) {
  pthread_t thread;
  if (pthread_create(&thread, NULL, routine, NULL) != 0) abort();
  return thread;
}
static void Run(void* (*routine)(void*)) { pthread_join(Start(routine), NULL); }

static void Cancel(void) {
  const pthread_t thread = Start(WaitOnCondition);
  sem_wait(&started);
  pthread_cancel(thread);
  pthread_join(thread, NULL);
  Run(Want);
}

static void MakeRobust(void) {
  pthread_mutexattr_t attributes;
  pthread_mutexattr_init(&attributes);
  pthread_mutexattr_setrobust(&attributes, PTHREAD_MUTEX_ROBUST);
  pthread_mutex_init(&mutex, &attributes);
}

int main(int count, char** arguments) {
  const char* way = count > 1 ? arguments[1] : "";
  sem_init(&never, 0, 0);
  sem_init(&started, 0, 0);
  pthread_key_create(&key, Release);
  if (strcmp(way, "joined") == 0) Run(TakeAndExit);
  if (strcmp(way, "detached") == 0) pthread_detach(Start(TakeAndExit));
  if (strcmp(way, "wanted") == 0) {
    Run(TakeAndExit);
    Start(Want);
  }
  if (strcmp(way, "robust") == 0) {
    MakeRobust();
    Run(TakeAndExit);
    Run(Want);
  }
  if (strcmp(way, "released") == 0) Run(TakeAndLeaveToTheDestructor);
  if (strcmp(way, "cancelled") == 0) Cancel();
  if (strcmp(way, "main_last") == 0) Start(GoOn);
  if (strcmp(way, "main_gone") == 0) Start(WaitForNobody);
  if (strncmp(way, "main", 4) == 0) pthread_exit(NULL);
  if (strcmp(way, "names") == 0) {
    pthread_setname_np(Start(Forth), "named by main");
    sem_wait(&started);
    Start(Back);
    sem_wait(&started);
    kill(getpid(), SIGKILL);
  }
  UntilEndOfInput();
  puts("done");
  return 0;
}
