// Signal handlers that take locks, each in a way of its own; the way is the argument.
//
//   predicted   a handler takes the mutex that other code takes, too; it goes well this time
//   twice       the same from two places of that code and by two locks of one class
//   altstack    the same on an alternate signal stack
//   raw         the same, the handler having been installed by a raw system call
//   reader      a handler writes what other code reads
//   stuck       the handler interrupts the code that holds the mutex
//   harmless    what handlers may do: try, wait for a limited time, post, read what is only
//               read, take what only handlers take, what is recursive, or what checks errors
//   blocked     that other code has the signal blocked whenever it takes the mutex, but for the
//               first time, when there is no handler yet
//   unrelated   it has another signal blocked
//   doubtful    it has one blocked that the handler blocks, too, and that is not its own
//   cancelled   the cleanup handlers of a cancelled thread take the mutex
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER, only_in_handlers =
    PTHREAD_MUTEX_INITIALIZER, recursive = PTHREAD_RECURSIVE_MUTEX_INITIALIZER_NP,
    checking = PTHREAD_ERRORCHECK_MUTEX_INITIALIZER_NP;
static pthread_rwlock_t rwlock = PTHREAD_RWLOCK_INITIALIZER;
static sem_t semaphore;

static void Take(pthread_mutex_t* m) {
  pthread_mutex_lock(m);
  pthread_mutex_unlock(m);
}
__attribute__((noinline)) static void OrdinaryCode(pthread_mutex_t* m) { Take(m); }

static void OnSignal(int number) {
  (void)number;
  pthread_mutex_lock(&mutex);
  pthread_mutex_unlock(&mutex);
}

static void Write(int number) {
  (void)number;
  pthread_rwlock_wrlock(&rwlock);
  pthread_rwlock_unlock(&rwlock);
}

static void MaskedCode(const char* way) {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, strcmp(way, "blocked") == 0 ? SIGUSR1 : SIGUSR2);
  pthread_sigmask(SIG_BLOCK, &set, NULL);
  OrdinaryCode(&mutex);
  pthread_sigmask(SIG_UNBLOCK, &set, NULL);
}
static void InstallWith(int also_blocked) {
  struct sigaction action;
  memset(&action, 0, sizeof(action));
  action.sa_handler = OnSignal;
  if (also_blocked != 0) sigaddset(&action.sa_mask, also_blocked);
  sigaction(SIGUSR1, &action, NULL);
}

static void DoNoHarm(int number) {
  (void)number;
  struct timespec past = {0};
  if (pthread_mutex_trylock(&mutex) == 0) pthread_mutex_unlock(&mutex);
  if (pthread_mutex_timedlock(&mutex, &past) == 0) pthread_mutex_unlock(&mutex);
  Take(&only_in_handlers);
  Take(&recursive);
  Take(&checking);
  pthread_rwlock_rdlock(&rwlock);
  pthread_rwlock_unlock(&rwlock);
  sem_post(&semaphore);
}

static void Install(void (*handler)(int), int flags) {
  struct sigaction action;
  memset(&action, 0, sizeof(action));
  action.sa_handler = handler;
  action.sa_flags = flags;
  sigaction(SIGUSR1, &action, NULL);
}

// The kernel's own form of struct sigaction; the trampoline is the one that libc uses.
struct KernelAction {
  void (*handler)(int);
  unsigned long flags;
  void (*restorer)(void);
  unsigned long mask;
};
static void InstallRaw(void (*handler)(int)) {
  struct KernelAction action;
  Install(handler, 0);
  syscall(SYS_rt_sigaction, SIGUSR1, NULL, &action, sizeof(action.mask));
  signal(SIGUSR1, SIG_DFL);
  syscall(SYS_rt_sigaction, SIGUSR1, &action, NULL, sizeof(action.mask));
}

static void OnAltstack(void) {
  stack_t stack;
  memset(&stack, 0, sizeof(stack));
  stack.ss_size = 1 << 17;
  stack.ss_sp = malloc(stack.ss_size);
  sigaltstack(&stack, NULL);
  Install(OnSignal, SA_ONSTACK);
}

static void CleanUp(void* unused) {
  (void)unused;
  Take(&mutex);
}
static atomic_int ready;
static void* WaitForEver(void* unused) {
  // Cancellation reaches a thread anywhere, also while libc's handler interrupts it.
  pthread_setcanceltype(PTHREAD_CANCEL_ASYNCHRONOUS, NULL);
  pthread_cleanup_push(CleanUp, unused);
  ready = 1;
  while (1) pause();
  pthread_cleanup_pop(0);
}

int main(int count, char** arguments) {
  const char* way = count > 1 ? arguments[1] : "";
  const int is_stuck = strcmp(way, "stuck") == 0;
  sem_init(&semaphore, 0, 0);
  OrdinaryCode(&mutex);
  if (strcmp(way, "predicted") == 0 || is_stuck) Install(OnSignal, 0);
  if (strcmp(way, "twice") == 0) {
    Install(OnSignal, SA_NODEFER);
    raise(SIGUSR1);
    Take(&mutex);
  }
  if (strcmp(way, "altstack") == 0) OnAltstack();
  if (strcmp(way, "raw") == 0) InstallRaw(OnSignal);
  if (strcmp(way, "reader") == 0) {
    pthread_rwlock_rdlock(&rwlock);
    pthread_rwlock_unlock(&rwlock);
    Install(Write, 0);
  }
  const int is_masked =
      strcmp(way, "blocked") == 0 || strcmp(way, "unrelated") == 0 || strcmp(way, "doubtful") == 0;
  if (is_masked) InstallWith(strcmp(way, "doubtful") == 0 ? SIGUSR2 : 0);
  if (strcmp(way, "harmless") == 0) {
    OrdinaryCode(&recursive);
    OrdinaryCode(&checking);
    pthread_rwlock_rdlock(&rwlock);
    pthread_rwlock_unlock(&rwlock);
    Install(DoNoHarm, 0);
  }
  if (strcmp(way, "cancelled") == 0) {
    pthread_t thread;
    pthread_create(&thread, NULL, WaitForEver, NULL);
    while (ready == 0) {
    }
    pthread_cancel(thread);
    pthread_join(thread, NULL);
    puts("done");
    return 0;
  }
  if (is_stuck) pthread_mutex_lock(&mutex);
  raise(SIGUSR1);
  raise(SIGUSR1);
  if (is_stuck) pthread_mutex_unlock(&mutex);
  if (is_masked) {
    MaskedCode(way);
  } else {
    OrdinaryCode(&mutex);
  }
  puts("done");
  return 0;
}
