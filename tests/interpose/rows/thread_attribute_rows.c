// Threads as their attributes ask for them, and what a new thread finds: stack, guard, name,
// signal mask, processors, scheduling.
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>

#include "row.h"

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;

// What a thread sees of itself.
static void* ShowSelf(void* unused) {
  pthread_attr_t attributes;
  size_t stack_size = 0, guard_size = 0;
  void* stack = NULL;
  int detached = -1, policy = -1, cancel_state = -1, cancel_type = -1;
  struct sched_param parameters = {0};
  sigset_t blocked;
  cpu_set_t processors;
  char name[16] = "";
  SHOW(pthread_getattr_np(pthread_self(), &attributes));
  pthread_attr_getstack(&attributes, &stack, &stack_size);
  pthread_attr_getguardsize(&attributes, &guard_size);
  pthread_attr_getdetachstate(&attributes, &detached);
  pthread_attr_destroy(&attributes);
  pthread_getschedparam(pthread_self(), &policy, &parameters);
  pthread_sigmask(SIG_BLOCK, NULL, &blocked);
  pthread_getaffinity_np(pthread_self(), sizeof(processors), &processors);
  pthread_getname_np(pthread_self(), name, sizeof(name));
  pthread_setcancelstate(PTHREAD_CANCEL_ENABLE, &cancel_state);
  pthread_setcanceltype(PTHREAD_CANCEL_DEFERRED, &cancel_type);
  Print("stack %zu, guard %zu, detached %d, policy %d, priority %d, processors %d\n", stack_size,
        guard_size, detached, policy, parameters.sched_priority, CPU_COUNT(&processors));
  Print("name '%s', blocks USR1 %d USR2 %d, cancel state %d type %d\n", name,
        sigismember(&blocked, SIGUSR1), sigismember(&blocked, SIGUSR2), cancel_state, cancel_type);
  return unused;
}

static void CreateAndShow(const pthread_attr_t* attributes) {
  pthread_t thread;
  errno = kUntouched;
  const int result = pthread_create(&thread, attributes, ShowSelf, NULL);
  const int error = errno;
  if (result == 0) SHOW(pthread_join(thread, NULL));  // what it printed comes first
  Print("create: %s, errno %s\n", ErrorName(result), ErrorName(error));
}

static void Attributes(void) {
  pthread_attr_t attributes;
  sigset_t mask;
  cpu_set_t one;
  CreateAndShow(NULL);
  pthread_attr_init(&attributes);
  CreateAndShow(&attributes);
  SHOW(pthread_attr_setguardsize(&attributes, 0));
  SHOW(pthread_attr_setstacksize(&attributes, 1 << 20));
  CreateAndShow(&attributes);
  SHOW(pthread_attr_setguardsize(&attributes, 65536));
  CreateAndShow(&attributes);
  sigemptyset(&mask);
  sigaddset(&mask, SIGUSR2);
  SHOW(pthread_attr_setsigmask_np(&attributes, &mask));
  CreateAndShow(&attributes);
  CPU_ZERO(&one);
  sched_getaffinity(0, sizeof(one), &one);
  for (int i = CPU_SETSIZE - 1, kept = 0; i >= 0; --i) {
    if (CPU_ISSET(i, &one) && kept++ > 0) CPU_CLR(i, &one);
  }
  SHOW(pthread_attr_setaffinity_np(&attributes, sizeof(one), &one));
  CreateAndShow(&attributes);
  CPU_ZERO(&one);
  SHOW(pthread_attr_setaffinity_np(&attributes, sizeof(one), &one));
  CreateAndShow(&attributes);  // no processor at all
  pthread_attr_destroy(&attributes);

  struct sched_param parameters = {.sched_priority = 0};
  pthread_attr_init(&attributes);
  SHOW(pthread_attr_setinheritsched(&attributes, PTHREAD_EXPLICIT_SCHED));
  SHOW(pthread_attr_setschedpolicy(&attributes, SCHED_OTHER));
  SHOW(pthread_attr_setschedparam(&attributes, &parameters));
  CreateAndShow(&attributes);
  pthread_attr_destroy(&attributes);
}

static void Inherited(void) {
  sigset_t mask, before;
  sigemptyset(&mask);
  sigaddset(&mask, SIGUSR1);
  pthread_sigmask(SIG_BLOCK, &mask, &before);
  CreateAndShow(NULL);
  pthread_sigmask(SIG_SETMASK, &before, NULL);
  char name[16] = "";
  pthread_getname_np(pthread_self(), name, sizeof(name));
  SHOW(pthread_setname_np(pthread_self(), "a-name"));
  CreateAndShow(NULL);
  SHOW(pthread_setname_np(pthread_self(), "far longer than a name may be"));
  SHOW(pthread_setname_np(pthread_self(), name));
}

static sem_t ended;
static void* EndDetached(void* unused) {
  ShowSelf(NULL);
  sem_post(&ended);
  return unused;
}
static void CreatedDetached(void) {
  pthread_attr_t attributes;
  pthread_t thread;
  sem_init(&ended, 0, 0);
  pthread_attr_init(&attributes);
  SHOW(pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED));
  for (int i = 0; i < 20; ++i) {
    const int result = pthread_create(&thread, &attributes, EndDetached, NULL);
    if (result == 0) sem_wait(&ended);
    Print("create: %s\n", ErrorName(result));
  }
  pthread_attr_destroy(&attributes);
}

static void* Return(void* result) { return result; }
static void* CancelSelf(void* unused) {
  SHOW(pthread_cancel(pthread_self()));
  pthread_testcancel();
  return unused;
}
static void* Disabled(void* unused) {
  int before;
  SHOW(pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &before));
  SHOW(pthread_cancel(pthread_self()));
  pthread_testcancel();
  pthread_mutex_lock(&mutex);
  pthread_mutex_unlock(&mutex);
  return unused;
}
// No cancellation point: what is pending stays so.
static void* PendingWhileLocking(void* unused) {
  static pthread_rwlock_t rwlock = PTHREAD_RWLOCK_INITIALIZER;
  sem_t semaphore;
  pthread_t thread;
  SHOW(pthread_cancel(pthread_self()));
  SHOW(pthread_mutex_lock(&mutex));
  SHOW(pthread_mutex_unlock(&mutex));
  SHOW(pthread_rwlock_rdlock(&rwlock));
  SHOW(pthread_rwlock_unlock(&rwlock));
  SHOW_VALUE(sem_init(&semaphore, 0, 1));
  SHOW_VALUE(sem_trywait(&semaphore));
  SHOW_VALUE(sem_post(&semaphore));
  SHOW(pthread_create(&thread, NULL, Return, NULL));
  while (pthread_tryjoin_np(thread, NULL) == EBUSY) sched_yield();
  Print("still here\n");
  sem_wait(&semaphore);
  Print("not here\n");
  return unused;
}

static void Cancelled(void) {
  Print("%d\n", InThread(CancelSelf, NULL) == PTHREAD_CANCELED);
  Print("%d\n", InThread(Disabled, NULL) == PTHREAD_CANCELED);
  Print("%d\n", InThread(PendingWhileLocking, NULL) == PTHREAD_CANCELED);
}

// Everything a hook does on its slow paths must fit beside the program's own few frames.
static void* LockOnSmallStack(void* unused) {
  static pthread_rwlock_t rwlock = PTHREAD_RWLOCK_INITIALIZER;
  static pthread_cond_t condition = PTHREAD_COND_INITIALIZER;
  struct timespec past = Past();
  pthread_mutex_t own = PTHREAD_MUTEX_INITIALIZER;
  sem_t semaphore;
  pthread_mutex_lock(&mutex);
  pthread_mutex_lock(&own);
  pthread_rwlock_rdlock(&rwlock);
  pthread_cond_timedwait(&condition, &own, &past);
  pthread_rwlock_unlock(&rwlock);
  sem_init(&semaphore, 0, 1);
  sem_wait(&semaphore);
  sem_post(&semaphore);
  pthread_mutex_unlock(&mutex);
  pthread_mutex_unlock(&own);
  return unused;
}

static void SmallStacks(void) {
  pthread_attr_t attributes;
  pthread_t thread;
  const size_t size = (size_t)sysconf(_SC_THREAD_STACK_MIN);
  pthread_attr_init(&attributes);
  SHOW(pthread_attr_setstacksize(&attributes, size));
  SHOW(pthread_create(&thread, &attributes, LockOnSmallStack, NULL));
  SHOW(pthread_join(thread, NULL));
  // Given by the program, with pages below it that must not be touched.
  const size_t guard = 65536;
  char* memory = mmap(NULL, guard + size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  mprotect(memory + guard, size, PROT_READ | PROT_WRITE);
  SHOW(pthread_attr_setstack(&attributes, memory + guard, size));
  SHOW(pthread_create(&thread, &attributes, LockOnSmallStack, NULL));
  SHOW(pthread_join(thread, NULL));
  munmap(memory, guard + size);
  pthread_attr_destroy(&attributes);
}

static void* LockDeep(void* depth) {
  volatile char space[4096];
  space[0] = 0;
  pthread_mutex_lock(&mutex);
  pthread_mutex_unlock(&mutex);
  if ((long)depth > 0) LockDeep((void*)((long)depth - 1));
  return (void*)(long)space[0];
}

static void LargeStacks(void) {
  pthread_attr_t attributes;
  pthread_t thread;
  pthread_attr_init(&attributes);
  SHOW(pthread_attr_setstacksize(&attributes, (size_t)64 << 20));
  SHOW(pthread_create(&thread, &attributes, LockDeep, (void*)8000));
  SHOW(pthread_join(thread, NULL));
  pthread_attr_destroy(&attributes);
}

const struct Row kThreadAttributeRows[] = {
    {"pthread_create pthread_join", "as the attributes ask", Attributes},
    {"pthread_create pthread_setname_np", "what a thread inherits", Inherited},
    {"pthread_create", "detached", CreatedDetached},
    {"pthread_cancel pthread_mutex_lock pthread_rwlock_rdlock sem_trywait sem_wait "
     "pthread_tryjoin_np",
     "cancelled by itself", Cancelled},
    {"pthread_create pthread_mutex_lock", "the smallest stacks", SmallStacks},
    {"pthread_create pthread_mutex_lock", "a large stack, deep down", LargeStacks},
    {0}};
