// Forks, and libraries that come and go.
#include <dlfcn.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/time.h>
#include <sys/wait.h>

#include "row.h"

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_mutex_t checked = PTHREAD_ERRORCHECK_MUTEX_INITIALIZER_NP;
static int in_prepare, in_parent, in_child;

static void Prepare(void) {
  pthread_mutex_lock(&mutex);
  ++in_prepare;
}
static void Parent(void) {
  ++in_parent;
  pthread_mutex_unlock(&mutex);
}
static void Child(void) {
  ++in_child;
  pthread_mutex_unlock(&mutex);
}

static void* Return(void* result) { return result; }

static void UseEverything(void* unused) {
  sem_t semaphore;
  pthread_mutex_lock(&mutex);
  pthread_mutex_unlock(&mutex);
  sem_init(&semaphore, 0, 1);
  sem_wait(&semaphore);
  if (InThread(Return, unused) != unused) _exit(1);
  _exit(40 + in_child);
}

static atomic_int stop;
static void* LockUntilStopped(void* unused) {
  while (!stop) {
    pthread_mutex_lock(&mutex);
    pthread_mutex_unlock(&mutex);
  }
  return unused;
}

static void* ForkFromThread(void* unused) {
  (void)unused;
  return (void*)(long)InChild(UseEverything, NULL);
}

static void ForkThreaded(void) {
  pthread_t other;
  SHOW(pthread_atfork(Prepare, Parent, Child));
  pthread_create(&other, NULL, LockUntilStopped, NULL);
  for (int i = 0; i < 5; ++i) SHOW_VALUE(InChild(UseEverything, NULL));
  SHOW_VALUE((int)(long)InThread(ForkFromThread, NULL));
  stop = 1;
  pthread_join(other, NULL);
  Print("handlers %d %d %d\n", in_prepare, in_parent, in_child);
}

static void ReleaseInherited(void* unused) {
  (void)unused;
  SHOW(pthread_mutex_unlock(&checked));  // the owner is another tid: EPERM
  SHOW(pthread_mutex_trylock(&checked));
  fflush(stdout);
}

static void ForkHolding(void) {
  SHOW(pthread_mutex_lock(&checked));
  SHOW_VALUE(InChild(ReleaseInherited, NULL));
  SHOW(pthread_mutex_unlock(&checked));
}

static void ForkWithoutHandlers(void) {
  fflush(stdout);
  errno = kUntouched;
  const pid_t child = _Fork();
  if (child == 0) {
    pthread_mutex_lock(&mutex);
    pthread_mutex_unlock(&mutex);
    _exit(errno == kUntouched ? 7 : 8);
  }
  int status = 0;
  waitpid(child, &status, 0);
  Print("status %d, errno %s\n", WEXITSTATUS(status), ErrorName(errno));
  const pid_t vchild = vfork();
  if (vchild == 0) _exit(9);
  waitpid(vchild, &status, 0);
  Print("status %d\n", WEXITSTATUS(status));
}

static sem_t never;
static volatile pid_t forked = -1;
static void ForkHere(int signal) {
  (void)signal;
  if (forked == -1) forked = fork();
}
// The child goes on with the wait that the handler interrupted.
static void ForkInHandler(void) {
  struct sigaction action = {.sa_handler = ForkHere}, before;
  int status = 0;
  sem_init(&never, 0, 0);
  sigaction(SIGALRM, &action, &before);
  fflush(stdout);
  const pid_t outer = fork();
  if (outer == 0) {
    struct itimerval often = {.it_interval = {.tv_usec = 1000}, .it_value = {.tv_usec = 1000}};
    setitimer(ITIMER_REAL, &often, NULL);
    int result;
    do {
      errno = kUntouched;
      result = sem_wait(&never);
    } while (forked == -1);
    const int right = result == -1 && errno == EINTR;
    pthread_mutex_lock(&mutex);
    pthread_mutex_unlock(&mutex);
    if (forked == 0) _exit(right ? 11 : 12);
    while (waitpid(forked, &status, 0) == -1 && errno == EINTR) {
    }
    _exit(right ? WEXITSTATUS(status) : 13);
  }
  waitpid(outer, &status, 0);
  Print("status %d, signal %d\n", WEXITSTATUS(status), WTERMSIG(status));
  sigaction(SIGALRM, &before, NULL);
}

// The plugin's constructor and destructor lock, and start a thread.
static void LibrariesComeAndGo(void) {
  for (int i = 0; i < 3; ++i) {
    void* plugin = dlopen(plugin_path, RTLD_NOW);
    if (plugin == NULL) {
      Print("%s\n", dlerror());
      return;
    }
    int (*answer)(void) = (int (*)(void))dlsym(plugin, "PluginAnswer");
    Print("answer %d\n", answer());
    SHOW(dlclose(plugin));
  }
}

static void CloseTwice(void) {
  void* plugin = dlopen(plugin_path, RTLD_NOW);
  void* again = dlopen(plugin_path, RTLD_NOW);
  Print("same %d\n", plugin == again);
  SHOW(dlclose(plugin));
  SHOW(dlclose(again));
}

const struct Row kProcessRows[] = {
    {"fork pthread_mutex_lock", "from a process with threads, with handlers", ForkThreaded},
    {"fork pthread_mutex_unlock", "holding a mutex", ForkHolding},
    {"fork", "without handlers, and vfork", ForkWithoutHandlers},
    {"fork sem_wait", "in a signal handler, inside a wait", ForkInHandler},
    {"dlclose pthread_mutex_lock", "a plugin that locks while it loads", LibrariesComeAndGo},
    {"dlclose", "counted", CloseTwice},
    {0}};
