// syscall(): futexes, and that every other call goes through with all its arguments.
#include <fcntl.h>
#include <linux/futex.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "row.h"

static atomic_int word;
static long Futex(int operation, unsigned value, const struct timespec* time) {
  return syscall(SYS_futex, &word, operation, value, time, NULL, FUTEX_BITSET_MATCH_ANY);
}

static void Values(void) {
  struct timespec brief = {.tv_nsec = 2000000}, past = Past(), soon = Soon(CLOCK_MONOTONIC);
  struct timespec wrong = {.tv_nsec = 1000000000};
  const int flags[] = {0, FUTEX_PRIVATE_FLAG};
  for (int i = 0; i < 2; ++i) {
    word = 3;
    SHOW_VALUE((int)Futex(FUTEX_WAIT | flags[i], 4, NULL));
    SHOW_VALUE((int)Futex(FUTEX_WAIT | flags[i], 3, &brief));
    SHOW_VALUE((int)Futex(FUTEX_WAIT | flags[i], 3, &wrong));
    SHOW_VALUE((int)Futex(FUTEX_WAIT_BITSET | flags[i], 3, &past));
    SHOW_VALUE((int)Futex(FUTEX_WAIT_BITSET | flags[i], 3, &soon));
    SHOW_VALUE((int)Futex(FUTEX_WAIT_BITSET | FUTEX_CLOCK_REALTIME | flags[i], 3, &past));
    SHOW_VALUE((int)Futex(FUTEX_WAKE | flags[i], 1, NULL));
    word = 0;
    SHOW_VALUE((int)Futex(FUTEX_LOCK_PI | flags[i], 0, NULL));
    SHOW_VALUE((int)Futex(FUTEX_LOCK_PI | flags[i], 0, &past));
    SHOW_VALUE((int)Futex(FUTEX_UNLOCK_PI | flags[i], 0, NULL));
    SHOW_VALUE((int)Futex(FUTEX_UNLOCK_PI | flags[i], 0, NULL));
    SHOW_VALUE((int)Futex(FUTEX_TRYLOCK_PI | flags[i], 0, NULL));
    SHOW_VALUE((int)Futex(FUTEX_UNLOCK_PI | flags[i], 0, NULL));
    SHOW_VALUE((int)Futex(99 | flags[i], 0, NULL));
  }
  SHOW_VALUE((int)syscall(SYS_futex, 8, FUTEX_WAIT, 0, NULL, NULL, 0));
  SHOW_VALUE((int)syscall(SYS_futex, (char*)&word + 1, FUTEX_WAIT, 0, NULL, NULL, 0));
}

static atomic_long woken;
static void* Wait(void* unused) {
  long result = 1;
  while (word == 0 && result != 0) result = Futex(FUTEX_WAIT | FUTEX_PRIVATE_FLAG, 0, NULL);
  woken = 1;
  return unused;
}
static void Woken(void) {
  pthread_t thread;
  word = 0;
  pthread_create(&thread, NULL, Wait, NULL);
  while (Futex(FUTEX_WAKE | FUTEX_PRIVATE_FLAG, 1, NULL) != 1) sched_yield();
  pthread_join(thread, NULL);
  Print("woken %ld\n", (long)woken);
}

static void Ignore(int signal) { (void)signal; }
static atomic_int finished;
static void* WaitInterrupted(void* unused) {
  struct timespec far = {.tv_sec = 1L << 30};
  errno = kUntouched;
  const long result = Futex(FUTEX_WAIT | FUTEX_PRIVATE_FLAG, 0, &far);
  Print("interrupted: %ld, errno %s\n", result, ErrorName(errno));
  finished = 1;
  return unused;
}
static void Interrupted(void) {
  struct sigaction action = {.sa_handler = Ignore}, before;
  pthread_t thread;
  word = 0;
  sigaction(SIGUSR1, &action, &before);
  pthread_create(&thread, NULL, WaitInterrupted, NULL);
  while (!finished) {
    pthread_kill(thread, SIGUSR1);
    sched_yield();
  }
  pthread_join(thread, NULL);
  sigaction(SIGUSR1, &before, NULL);
}

static void OtherCalls(void) {
  SHOW_VALUE(syscall(SYS_getpid) == getpid());
  SHOW_VALUE((int)syscall(SYS_close, -1));
  SHOW_VALUE((int)syscall(SYS_kill, 0x3ffffff0, 0));
  SHOW_VALUE((int)syscall(-1));
  SHOW_VALUE((int)syscall(100000, 1, 2, 3, 4, 5, 6));
  // Six arguments, the last of which is looked at.
  const int fd = open("/proc/self/exe", 0);
  void* const page = (void*)syscall(SYS_mmap, NULL, 4096L, PROT_READ, MAP_PRIVATE, fd, 0L);
  Print("mapped: %d, an ELF file: %d\n", page != MAP_FAILED, memcmp(page, "\177ELF", 4) == 0);
  munmap(page, 4096);
  SHOW_VALUE((int)syscall(SYS_mmap, NULL, 4096L, PROT_READ, MAP_PRIVATE, fd, 7L));
  close(fd);
}

static int Reap(long child) {
  int status = 0;
  if (waitpid((pid_t)child, &status, 0) != child) abort();
  return WEXITSTATUS(status);
}
static void Processes(void) {
  fflush(stdout);
  long child = syscall(SYS_clone, SIGCHLD, 0L, 0L, 0L, 0L);
  if (child == 0) syscall(SYS_exit_group, 23);
  Print("clone: %d\n", Reap(child));
#ifdef __x86_64__
  child = syscall(SYS_vfork);
  if (child == 0) {
    // On the parent's stack: nothing may be called.
    __asm__ volatile("syscall" : : "a"(SYS_exit_group), "D"(24) : "rcx", "r11", "memory");
  }
  Print("vfork: %d\n", Reap(child));
#endif
}

const struct Row kFutexRows[] = {
    {"syscall", "futexes: values", Values},
    {"syscall", "futexes: woken", Woken},
    {"syscall", "futexes: interrupted", Interrupted},
    {"syscall", "other system calls", OtherCalls},
    {"syscall", "system calls that make processes", Processes},
    {0}};
