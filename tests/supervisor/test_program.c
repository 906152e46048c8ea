/* Programs for the tests of `lockwarden run`, unmodified: they know nothing of it.
   The first argument says which one. */
#define _GNU_SOURCE
#include <dirent.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

/* Everything that a program inherits from whoever starts it. */
static int Inherited(void) {
  sigset_t mask;
  sigprocmask(SIG_SETMASK, NULL, &mask);
  for (int s = 1; s < 65; ++s) {
    struct sigaction action;
    if (sigaction(s, NULL, &action) != 0) continue;
    printf("%d%s%s\n", s, sigismember(&mask, s) ? " blocked" : "",
           action.sa_handler == SIG_IGN   ? " ignored"
           : action.sa_handler == SIG_DFL ? ""
                                          : " caught");
  }
  struct rlimit limit;
  for (int resource = 0; resource < RLIM_NLIMITS; ++resource) {
    getrlimit(resource, &limit);
    printf("limit %d: %llu %llu\n", resource, (unsigned long long)limit.rlim_cur,
           (unsigned long long)limit.rlim_max);
  }
  for (int fd = 0; fd < 4096; ++fd) {
    const int flags = fcntl(fd, F_GETFD);
    if (flags >= 0) printf("descriptor %d %d\n", fd, flags);
  }
  printf("group %d\n", getpgrp() == getpid());
  return 0;
}

/* Prints each signal that arrives, until TERM. */
static int Signals(int stops) {
  sigset_t all;
  sigfillset(&all);
  if (stops) sigdelset(&all, SIGTSTP);
  sigprocmask(SIG_SETMASK, &all, NULL);
  puts("ready");
  fflush(stdout);
  for (;;) {
    siginfo_t info;
    const int s = sigwaitinfo(&all, &info);
    if (s < 0) continue;
    printf("signal %d value %d\n", s, info.si_code == SI_QUEUE ? info.si_value.sival_int : 0);
    fflush(stdout);
    if (s == SIGTERM) return 5;
  }
}

/* Adds a byte to a file; fails until it holds `wanted`. */
static int FailUntil(const char* path, int wanted) {
  const int fd = open(path, O_WRONLY | O_CREAT | O_APPEND, 0600);
  if (fd < 0 || write(fd, "x", 1) != 1) return 90;
  struct stat file;
  fstat(fd, &file);
  return file.st_size < wanted ? 1 : 0;
}

static pthread_mutex_t first = PTHREAD_MUTEX_INITIALIZER, second = PTHREAD_MUTEX_INITIALIZER;
static pthread_barrier_t both_hold;

static void* Other(void* unused) {
  pthread_mutex_lock(&second);
  pthread_barrier_wait(&both_hold);
  pthread_mutex_lock(&first);
  return unused;
}
static int Deadlock(void) {
  pthread_t other;
  pthread_barrier_init(&both_hold, NULL, 2);
  pthread_create(&other, NULL, Other, NULL);
  pthread_mutex_lock(&first);
  pthread_barrier_wait(&both_hold);
  pthread_mutex_lock(&second);
  return 91;
}
static void LeaveWith9(int s) { _exit(s > 0 ? 9 : 8); }

int main(int argc, char** argv) {
  const char* what = argc > 1 ? argv[1] : "";
  if (strcmp(what, "inherited") == 0) return Inherited();
  if (strcmp(what, "signals") == 0) return Signals(0);
  if (strcmp(what, "signals-but-stops") == 0) return Signals(1);
  if (strcmp(what, "fail-until") == 0) return FailUntil(argv[2], atoi(argv[3]));
  if (strcmp(what, "deadlock") == 0) return Deadlock();
  if (strcmp(what, "deadlock-until") == 0) {
    return FailUntil(argv[2], atoi(argv[3])) != 0 ? Deadlock() : 0;
  }
  if (strcmp(what, "deadlock-ignoring-abort") == 0) {
    signal(SIGABRT, SIG_IGN);
    return Deadlock();
  }
  if (strcmp(what, "deadlock-catching-abort") == 0) {
    signal(SIGABRT, LeaveWith9);
    return Deadlock();
  }
  return 92;
}
