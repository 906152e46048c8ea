// File locks: who gets them, interruption, cancellation, and fcntl's other commands.
#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/file.h>

#include "row.h"

// A file without a name, and a second open file description of it.
static int fds[2];

static void Open(void) {
  char name[] = "conformance-XXXXXX";
  fds[0] = mkstemp(name);
  fds[1] = open(name, O_RDWR);
  unlink(name);
  if (fds[0] < 0 || fds[1] < 0) abort();
}

static void Close(void) {
  close(fds[0]);
  close(fds[1]);
}

static void Flock(void) {
  Open();
  SHOW_VALUE(flock(fds[0], LOCK_SH));
  SHOW_VALUE(flock(fds[1], LOCK_SH));
  SHOW_VALUE(flock(fds[1], LOCK_EX | LOCK_NB));
  SHOW_VALUE(flock(fds[1], LOCK_UN));
  SHOW_VALUE(flock(fds[0], LOCK_EX));
  SHOW_VALUE(flock(fds[0], LOCK_EX));
  SHOW_VALUE(flock(fds[1], LOCK_SH | LOCK_NB));
  SHOW_VALUE(flock(fds[0], LOCK_UN));
  SHOW_VALUE(flock(fds[0], LOCK_UN));
  SHOW_VALUE(flock(fds[0], 0));
  SHOW_VALUE(flock(fds[0], LOCK_SH | LOCK_EX));
  SHOW_VALUE(flock(-1, LOCK_EX));
  SHOW_VALUE(flock(INT_MAX, LOCK_SH));
  Close();
}

static struct flock Range(short type, short whence, off_t start, off_t length) {
  struct flock range;
  memset(&range, 0, sizeof(range));
  range.l_type = type;
  range.l_whence = whence;
  range.l_start = start;
  range.l_len = length;
  return range;
}

#define RANGES(function)                                                        \
  do {                                                                          \
    struct flock write = Range(F_WRLCK, SEEK_SET, 10, 5);                       \
    struct flock read = Range(F_RDLCK, SEEK_CUR, 0, 0);                         \
    struct flock none = Range(F_UNLCK, SEEK_SET, 0, 0);                         \
    struct flock wrong = Range(99, SEEK_SET, 0, 0);                             \
    struct flock before = Range(F_WRLCK, SEEK_SET, -1, 5);                      \
    struct flock asked = Range(F_WRLCK, SEEK_SET, 0, 0);                        \
    SHOW_VALUE(function(fds[0], F_OFD_SETLKW, &write));                         \
    SHOW_VALUE(function(fds[1], F_OFD_SETLK, &read));                           \
    SHOW_VALUE(function(fds[1], F_SETLK, &read));                               \
    SHOW_VALUE(function(fds[1], F_GETLK, &asked));                              \
    Print("found %d %d %d %d\n", asked.l_type, (int)asked.l_start, (int)asked.l_len,  \
          (int)asked.l_pid);                                                    \
    SHOW_VALUE(function(fds[0], F_OFD_SETLKW, &none));                          \
    SHOW_VALUE(function(fds[1], F_SETLKW, &write));                             \
    SHOW_VALUE(function(fds[0], F_SETLKW, &read));                              \
    SHOW_VALUE(function(fds[0], F_OFD_GETLK, &asked));                          \
    SHOW_VALUE(function(fds[0], F_SETLKW, &none));                              \
    SHOW_VALUE(function(fds[0], F_SETLKW, &wrong));                             \
    SHOW_VALUE(function(fds[0], F_SETLKW, &before));                            \
    SHOW_VALUE(function(fds[0], F_SETLKW, (struct flock*)8));                   \
    SHOW_VALUE(function(fds[0], F_OFD_SETLKW, NULL));                           \
    SHOW_VALUE(function(-1, F_SETLKW, &write));                                 \
    asked.l_pid = 1;                                                            \
    SHOW_VALUE(function(fds[0], F_OFD_SETLKW, &asked));                         \
  } while (0)

#define COMMANDS(function)                                                      \
  do {                                                                          \
    SHOW_VALUE(function(fds[0], F_GETFD));                                      \
    SHOW_VALUE(function(fds[0], F_SETFD, FD_CLOEXEC));                          \
    SHOW_VALUE(function(fds[0], F_GETFD));                                      \
    SHOW_VALUE(function(fds[0], F_SETFL, O_APPEND));                            \
    SHOW_VALUE(function(fds[0], F_GETFL) & O_APPEND);                           \
    SHOW_VALUE(function(fds[0], F_DUPFD, 700));                                 \
    SHOW_VALUE(function(fds[0], F_DUPFD_CLOEXEC, 701));                         \
    SHOW_VALUE(function(701, F_GETFD));                                         \
    close(700);                                                                 \
    close(701);                                                                 \
    SHOW_VALUE(function(fds[0], F_DUPFD, -1));                                  \
    SHOW_VALUE(function(fds[0], F_SETOWN, 0));                                  \
    SHOW_VALUE(function(fds[0], F_GETOWN));                                     \
    SHOW_VALUE(function(fds[0], 4242));                                         \
    SHOW_VALUE(function(-1, F_GETFD));                                          \
  } while (0)

static void Fcntl(void) {
  Open();
  RANGES(fcntl);
  COMMANDS(fcntl);
  Close();
}

static void Fcntl64(void) {
  Open();
  RANGES(fcntl64);
  COMMANDS(fcntl64);
  Close();
}

#define LOCKF(function)                                                         \
  do {                                                                          \
    SHOW_VALUE(function(fds[0], F_LOCK, 10));                                   \
    SHOW_VALUE(function(fds[0], F_TEST, 10));                                   \
    SHOW_VALUE(function(fds[0], F_TLOCK, 20));                                  \
    SHOW_VALUE(function(fds[0], F_ULOCK, 0));                                   \
    SHOW_VALUE(function(fds[0], 4242, 0));                                      \
    SHOW_VALUE(function(fds[0], F_LOCK, -1));                                   \
    SHOW_VALUE(function(-1, F_LOCK, 0));                                        \
  } while (0)

static void Lockf(void) {
  Open();
  LOCKF(lockf);
  LOCKF(lockf64);
  Close();
}

static void TryInChild(void* unused) {
  (void)unused;
  SHOW_VALUE(lockf(fds[0], F_TEST, 10));
  SHOW_VALUE(lockf(fds[0], F_TLOCK, 10));
  SHOW_VALUE(lockf64(fds[0], F_TEST, 10));
  SHOW_VALUE(flock(fds[0], LOCK_EX | LOCK_NB));  // the same description
  SHOW_VALUE(flock(fds[1], LOCK_EX | LOCK_NB));
  fflush(stdout);
}

static void Children(void) {
  Open();
  SHOW_VALUE(lockf(fds[0], F_LOCK, 10));
  SHOW_VALUE(flock(fds[0], LOCK_EX));
  Print("child %d\n", InChild(TryInChild, NULL));
  Close();
}

// Each waits for a lock that the other description, or the parent, keeps.
static int which;
static int Wait(void) {
  struct flock all = Range(F_WRLCK, SEEK_SET, 0, 0);
  switch (which) {
    case 0: return flock(fds[1], LOCK_EX);
    case 1: return fcntl(fds[1], F_OFD_SETLKW, &all);
    case 2: return fcntl64(fds[1], F_OFD_SETLKW, &all);
    case 3: return fcntl(fds[1], F_SETLKW, &all);
    case 4: return lockf(fds[1], F_LOCK, 0);
    default: return lockf64(fds[1], F_LOCK, 0);
  }
}
enum { kWays = 6 };

static void Keep(void) {
  struct flock all = Range(F_WRLCK, SEEK_SET, 0, 0);
  flock(fds[0], LOCK_EX);
  fcntl(fds[0], F_OFD_SETLKW, &all);
}

static atomic_int finished;
static void Ignore(int signal) { (void)signal; }
static void* WaitInterrupted(void* unused) {
  (void)unused;
  errno = kUntouched;
  const int result = Wait();
  Print("interrupted %d: %d, errno %s\n", which, result, ErrorName(errno));
  finished = 1;
  return NULL;
}

static void Interrupted(void) {
  struct sigaction action = {.sa_handler = Ignore}, before;
  sigaction(SIGUSR1, &action, &before);
  Open();
  Keep();
  for (which = 0; which < kWays; ++which) {
    pthread_t other;
    finished = 0;
    pthread_create(&other, NULL, WaitInterrupted, NULL);
    while (!finished) {
      pthread_kill(other, SIGUSR1);
      sched_yield();
    }
    pthread_join(other, NULL);
  }
  Close();
  sigaction(SIGUSR1, &before, NULL);
}

// flock is no cancellation point: the request waits until the lock is there.
static void* WaitCancelled(void* unused) {
  (void)unused;
  int before = 0;
  Wait();
  pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &before);  // printing may write
  Print("went on\n");
  return NULL;
}

static void Cancelled(void) {
  Open();
  Keep();
  for (which = 0; which < kWays; ++which) {
    pthread_t other;
    void* result = NULL;
    pthread_create(&other, NULL, WaitCancelled, NULL);
    SHOW(pthread_cancel(other));
    if (which == 0) flock(fds[0], LOCK_UN);
    SHOW(pthread_join(other, &result));
    Print("%d cancelled %d\n", which, result == PTHREAD_CANCELED);
  }
  Close();
}

const struct Row kFileLockRows[] = {
    {"flock", "flock by two descriptions", Flock},
    {"fcntl", "fcntl's locks and other commands", Fcntl},
    {"fcntl64", "fcntl64's locks and other commands", Fcntl64},
    {"lockf lockf64", "lockf of a process with itself", Lockf},
    {"flock lockf lockf64", "file locks and children", Children},
    {"flock fcntl fcntl64 lockf lockf64", "file locks and signals", Interrupted},
    {"flock fcntl fcntl64 lockf lockf64", "file locks and cancellation", Cancelled},
    {NULL, NULL, NULL},
};
