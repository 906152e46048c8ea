// Forks: from threaded programs, again and again, in handlers, under handlers that lock.
#include "situation.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static pthread_mutex_t held = PTHREAD_MUTEX_INITIALIZER;
static pthread_mutex_t next = PTHREAD_MUTEX_INITIALIZER;
static pthread_rwlock_t read_held = PTHREAD_RWLOCK_INITIALIZER;

// The child releases what its parent's thread held, and takes it again.
static int use_inherited(void) {
  if (pthread_mutex_unlock(&held) != 0) return 1;
  if (pthread_rwlock_unlock(&read_held) != 0) return 2;
  if (pthread_mutex_lock(&held) != 0) return 3;
  if (pthread_mutex_lock(&next) != 0) return 4;
  pthread_mutex_unlock(&next);
  pthread_mutex_unlock(&held);
  return workout("child");
}

static int inherited_locks(void) {
  start_busy_threads(3);
  for (int i = 0; i < 5; ++i) {
    pthread_mutex_lock(&held);
    pthread_rwlock_rdlock(&read_held);
    const pid_t child = fork();
    if (child == 0) exit(use_inherited());
    pthread_rwlock_unlock(&read_held);
    pthread_mutex_unlock(&held);
    print_end("child", child);
  }
  return workout("parent");
}

static int generations(void) {
  start_busy_threads(2);
  int depth = 0;
  pid_t child;
  pthread_mutex_lock(&held);
  while ((child = fork()) == 0 && ++depth < 6) {
    pthread_mutex_unlock(&held);
    pthread_mutex_lock(&held);
    if (depth % 2 == 0) start_busy_threads(1);
  }
  pthread_mutex_unlock(&held);
  if (child > 0) print_end("descendant", child);
  return workout("generation");
}

static void fork_here(int number) {
  (void)number;
  const pid_t child = fork();
  if (child == 0) {
    pthread_mutex_lock(&next);
    pthread_mutex_unlock(&next);
    _exit(7);
  }
  int status = 0;
  while (waitpid(child, &status, 0) < 0 && errno == EINTR) continue;
  if (!WIFEXITED(status) || WEXITSTATUS(status) != 7) _exit(8);
}

static int in_a_handler(void) {
  signal(SIGALRM, fork_here);
  start_busy_threads(2);
  for (int i = 0; i < 10; ++i) {
    pthread_mutex_lock(&held);
    raise(SIGALRM);
    pthread_mutex_unlock(&held);
  }
  return workout("after handlers");
}

// Through the kernel's door, without a fork handler: what runs is new, the memory is not.
static int raw_fork(void) {
  pthread_mutex_lock(&held);
  const pid_t child = (pid_t)syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);
  if (child == 0) {
    pthread_mutex_unlock(&held);
    pthread_mutex_lock(&next);
    pthread_mutex_unlock(&next);
    _exit(3);
  }
  pthread_mutex_unlock(&held);
  print_end("raw child", child);
  const pid_t other = _Fork();
  if (other == 0) {
    pthread_mutex_lock(&next);
    pthread_mutex_unlock(&next);
    _exit(4);
  }
  print_end("_Fork's child", other);
  return 0;
}

static pthread_mutex_t of_handlers = PTHREAD_MUTEX_INITIALIZER;
static int before, in_parent, in_child;
static void prepare(void) { pthread_mutex_lock(&of_handlers); ++before; }
static void parent(void) { ++in_parent; pthread_mutex_unlock(&of_handlers); }
static void child_side(void) { ++in_child; pthread_mutex_unlock(&of_handlers); }

static int handlers_that_lock(void) {
  pthread_atfork(prepare, parent, child_side);
  start_busy_threads(2);
  for (int i = 0; i < 3; ++i) {
    const pid_t child = fork();
    if (child == 0) {
      pthread_mutex_lock(&of_handlers);
      pthread_mutex_unlock(&of_handlers);
      _exit(before * 10 + in_child);
    }
    print_end("child", child);
  }
  printf("handlers ran %d %d %d times\n", before, in_parent, in_child);
  return 0;
}

// A thread that glibc knows nothing of, on a stack of its own, in the same memory.
static int raw_thread_result;
static int raw_thread(void* unused) {
  (void)unused;
  pthread_mutex_lock(&next);
  raw_thread_result = 5;
  pthread_mutex_unlock(&next);
  return 0;
}

static int raw_threads(void) {
  enum { kStack = 1 << 18 };
  for (int i = 0; i < 3; ++i) {
    char* stack = malloc(kStack);
    need(stack != NULL, "memory");
    const int tid = clone(raw_thread, stack + kStack, CLONE_VM | CLONE_FS | CLONE_FILES | SIGCHLD,
                          NULL);
    need(tid > 0, "a raw thread");
    print_end("raw thread", tid);
    free(stack);
  }
  printf("it wrote %d\n", raw_thread_result);
  return workout("after raw threads");
}

static int vfork_and_exit(void) {
  start_busy_threads(2);
  pthread_mutex_lock(&held);
  for (int i = 0; i < 5; ++i) {
    const pid_t child = vfork();
    if (child == 0) _exit(i);
    print_end("vfork", child);
  }
  pthread_mutex_unlock(&held);
  return workout("parent");
}

static int vfork_and_exec(void) {
  start_busy_threads(2);
  pthread_mutex_lock(&held);
  for (int i = 0; i < 3; ++i) {
    const pid_t child = vfork();
    if (child == 0) {
      execl(own_path, own_path, "workout", (char*)NULL);
      _exit(127);
    }
    print_end("vfork", child);
  }
  pthread_mutex_unlock(&held);
  return workout("parent");
}

static int daemon_twice_forked(void) {
  int ends[2];
  need(pipe(ends) == 0, "a pipe");
  start_busy_threads(2);
  const pid_t child = fork();
  if (child == 0) {
    need(daemon(1, 1) == 0, "a daemon");
    clearenv();
    const int code = workout("daemon");
    need(write(ends[1], &code, sizeof code) == sizeof code, "a pipe");
    _exit(0);
  }
  int code = -1;
  need(read(ends[0], &code, sizeof code) == sizeof code, "the daemon's answer");
  print_end("first", child);  // after it has printed, too
  printf("the daemon says %d\n", code);
  return 0;
}

const struct situation fork_situations[] = {
    {"fork-inherited-locks", inherited_locks},
    {"fork-generations", generations},
    {"fork-in-handler", in_a_handler},
    {"fork-raw", raw_fork},
    {"fork-handlers-that-lock", handlers_that_lock},
    {"raw-threads", raw_threads},
    {"vfork-exit", vfork_and_exit},
    {"vfork-exec", vfork_and_exec},
    {"daemon", daemon_twice_forked},
    {NULL, NULL}};
