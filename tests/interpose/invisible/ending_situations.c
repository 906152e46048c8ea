// Every way for a process to end, with threads that hold and wait for locks.
#include "situation.h"

#include <semaphore.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

static pthread_mutex_t held = PTHREAD_MUTEX_INITIALIZER;

static void no_core(void) {
  const struct rlimit none = {0, 0};
  setrlimit(RLIMIT_CORE, &none);
}

static void lock_once(void) {
  pthread_mutex_lock(&held);
  pthread_mutex_unlock(&held);
}
static void say_goodbye(void) {
  lock_once();
  printf("at exit\n");
}
static void say_quickly(void) {
  lock_once();
  (void)!write(1, "at quick exit\n", 14);
}

static int by_return(void) {
  atexit(say_goodbye);
  start_busy_threads(3);
  return 21;
}
static int by_exit(void) {
  atexit(say_goodbye);
  start_busy_threads(3);
  exit(22);
}
static int by_underscore_exit(void) {
  atexit(say_goodbye);
  start_busy_threads(3);
  _exit(23);
}
static int by_quick_exit(void) {
  at_quick_exit(say_quickly);
  start_busy_threads(3);
  quick_exit(24);
}
static int by_abort(void) {
  no_core();
  start_busy_threads(3);
  pthread_mutex_lock(&held);
  abort();
}
static int by_fault(void) {
  no_core();
  start_busy_threads(3);
  pthread_mutex_lock(&held);
  raise(SIGSEGV);
  return 1;
}
static int by_kill(void) {
  start_busy_threads(3);
  kill(getpid(), SIGKILL);
  pause();
  return 1;
}
static int by_terminate(void) {
  start_busy_threads(3);
  kill(getpid(), SIGTERM);
  pause();
  return 1;
}

static void on_fault(int number) {
  (void)number;
  lock_once();
  (void)!write(1, "fault handled\n", 14);
  _exit(25);
}
static int by_fault_handler(void) {
  signal(SIGSEGV, on_fault);
  start_busy_threads(3);
  volatile int* nowhere = NULL;
  return *nowhere;
}

static void* end_it(void* code) {
  lock_once();
  exit((int)(long)code);
}
static int from_a_thread(void) {
  pthread_t thread;
  atexit(say_goodbye);
  need(pthread_create(&thread, NULL, end_it, (void*)26L) == 0, "a thread");
  pthread_join(thread, NULL);
  return 1;
}

static sem_t main_gone;
static void* outlive(void* unused) {
  sem_wait(&main_gone);
  workout("after main");
  return unused;
}
static void leave(void* unused) {
  (void)unused;
  sem_post(&main_gone);
}
static int main_thread_exits(void) {
  pthread_t thread;
  sem_init(&main_gone, 0, 0);
  need(pthread_create(&thread, NULL, outlive, NULL) == 0, "a thread");
  pthread_detach(thread);
  pthread_cleanup_push(leave, NULL);
  pthread_exit(NULL);
  pthread_cleanup_pop(0);
  return 1;
}

const struct situation ending_situations[] = {{"end-return", by_return},
                                              {"end-exit", by_exit},
                                              {"end-_exit", by_underscore_exit},
                                              {"end-quick_exit", by_quick_exit},
                                              {"end-abort", by_abort},
                                              {"end-fault", by_fault},
                                              {"end-kill", by_kill},
                                              {"end-terminate", by_terminate},
                                              {"end-fault-handler", by_fault_handler},
                                              {"end-from-a-thread", from_a_thread},
                                              {"end-main-thread-exits", main_thread_exits},
                                              {NULL, NULL}};
