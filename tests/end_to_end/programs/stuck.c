// Hangs for good in one of the ways that a program can: `stuck KIND`. With a second
// argument it does the same things in an order that cannot hang, and ends with 0.
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <threads.h>
#include <unistd.h>

static int healthy, parties = 2;
static atomic_int arrived;

// All have taken their first lock when either goes on, unless they run one after another.
static void Meet(void) {
  ++arrived;
  while (!healthy && arrived < parties) sched_yield();
}

static void Pair(void* (*first)(void*), void* (*second)(void*)) {
  pthread_t one, two;
  pthread_create(&one, NULL, first, NULL);
  if (healthy) pthread_join(one, NULL);
  pthread_create(&two, NULL, second, NULL);
  if (!healthy) pthread_join(one, NULL);
  pthread_join(two, NULL);
}

static pthread_spinlock_t spin_a, spin_b;
static void SpinBoth(pthread_spinlock_t* first, pthread_spinlock_t* second) {
  pthread_spin_lock(first);
  Meet();
  pthread_spin_lock(second);
  pthread_spin_unlock(second);
  pthread_spin_unlock(first);
}
static void* SpinAb(void* unused) { return SpinBoth(&spin_a, &spin_b), unused; }
static void* SpinBa(void* unused) { return SpinBoth(&spin_b, &spin_a), unused; }
static void Spin(void) {
  pthread_spin_init(&spin_a, PTHREAD_PROCESS_PRIVATE);
  pthread_spin_init(&spin_b, PTHREAD_PROCESS_PRIVATE);
  Pair(SpinAb, SpinBa);
}

// Two deadlocks that have nothing to do with each other.
static pthread_mutex_t north = PTHREAD_MUTEX_INITIALIZER, south = PTHREAD_MUTEX_INITIALIZER;
static void* Both(pthread_mutex_t* first, pthread_mutex_t* second) {
  pthread_mutex_lock(first);
  Meet();
  pthread_mutex_lock(second);
  pthread_mutex_unlock(second);
  pthread_mutex_unlock(first);
  return NULL;
}
static void* NorthSouth(void* unused) { return (void)unused, Both(&north, &south); }
static void* SouthNorth(void* unused) { return (void)unused, Both(&south, &north); }
static void* SpinPair(void* unused) { return Spin(), unused; }
static void* MutexPair(void* unused) { return Pair(NorthSouth, SouthNorth), unused; }
static void TwoPairs(void) {
  parties = 4;
  Pair(SpinPair, MutexPair);
}

// One holds a spin lock and wants a mutex, the other the reverse.
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static void* SpinThenMutex(void* unused) {
  pthread_spin_lock(&spin_a);
  Meet();
  pthread_mutex_lock(&mutex);
  pthread_mutex_unlock(&mutex);
  pthread_spin_unlock(&spin_a);
  return unused;
}
static void* MutexThenSpin(void* unused) {
  pthread_mutex_lock(&mutex);
  Meet();
  pthread_spin_lock(&spin_a);
  pthread_spin_unlock(&spin_a);
  pthread_mutex_unlock(&mutex);
  return unused;
}
static void SpinMutex(void) {
  pthread_spin_init(&spin_a, PTHREAD_PROCESS_PRIVATE);
  Pair(SpinThenMutex, MutexThenSpin);
}
static void SpinSelf(void) {
  pthread_spin_init(&spin_a, PTHREAD_PROCESS_PRIVATE);
  pthread_spin_lock(&spin_a);
  if (healthy) pthread_spin_unlock(&spin_a);
  pthread_spin_lock(&spin_a);
  pthread_spin_unlock(&spin_a);
}

static pthread_barrier_t barrier;
static void* Arrive(void* unused) { return pthread_barrier_wait(&barrier), unused; }
static void Barrier(void) {
  pthread_t one, two;
  pthread_barrier_init(&barrier, NULL, healthy ? 2 : 3);
  pthread_create(&one, NULL, Arrive, NULL);
  pthread_create(&two, NULL, Arrive, NULL);
  pthread_join(one, NULL);
  pthread_join(two, NULL);
}

static mtx_t mtx_a, mtx_b;
static void MtxBoth(mtx_t* first, mtx_t* second) {
  mtx_lock(first);
  Meet();
  mtx_lock(second);
  mtx_unlock(second);
  mtx_unlock(first);
}
static int MtxAb(void* unused) { return MtxBoth(&mtx_a, &mtx_b), unused == NULL; }
static int MtxBa(void* unused) { return MtxBoth(&mtx_b, &mtx_a), unused == NULL; }
static void Mtx(void) {
  thrd_t one, two;
  mtx_init(&mtx_a, mtx_plain);
  mtx_init(&mtx_b, mtx_plain);
  thrd_create(&one, MtxAb, NULL);
  if (healthy) thrd_join(one, NULL);
  thrd_create(&two, MtxBa, NULL);
  if (!healthy) thrd_join(one, NULL);
  thrd_join(two, NULL);
}

static cnd_t cnd;
static int signalled;
static int Signal(void* unused) {
  mtx_lock(&mtx_a);
  signalled = healthy;
  if (healthy) cnd_signal(&cnd);
  mtx_unlock(&mtx_a);
  return unused == NULL;
}
static void Cnd(void) {
  thrd_t one;
  mtx_init(&mtx_a, mtx_plain);
  cnd_init(&cnd);
  mtx_lock(&mtx_a);
  thrd_create(&one, Signal, NULL);
  while (!signalled) cnd_wait(&cnd, &mtx_a);
  mtx_unlock(&mtx_a);
  thrd_join(one, NULL);
}

static pthread_once_t once_a = PTHREAD_ONCE_INIT, once_b = PTHREAD_ONCE_INIT;
static void Nothing(void) {}
static void AgainA(void) { pthread_once(healthy ? &once_b : &once_a, Nothing); }
static void OnceSelf(void) { pthread_once(&once_a, AgainA); }

static void InA(void) {
  Meet();
  pthread_once(&once_b, Nothing);
}
static void InB(void) {
  Meet();
  pthread_once(&once_a, Nothing);
}
static void* OnceA(void* unused) { return pthread_once(&once_a, InA), unused; }
static void* OnceB(void* unused) { return pthread_once(&once_b, InB), unused; }
static void Once(void) { Pair(OnceA, OnceB); }

static once_flag flag = ONCE_FLAG_INIT;
static void TakeMutex(void) {
  Meet();
  pthread_mutex_lock(&mutex);
  pthread_mutex_unlock(&mutex);
}
static void* CallOnce(void* unused) { return call_once(&flag, TakeMutex), unused; }
static void* CallOnceWithMutex(void* unused) {
  pthread_mutex_lock(&mutex);
  Meet();
  call_once(&flag, TakeMutex);
  pthread_mutex_unlock(&mutex);
  return unused;
}
static void OnceMutex(void) { Pair(CallOnce, CallOnceWithMutex); }

static int word;
static void Futex(void) {
  const int wait_private = 128;
  syscall(SYS_futex, &word, wait_private, healthy ? 1 : 0, NULL, NULL, 0);
}

// Bound to the functions that programs older than glibc 2.3.2 call.
#ifdef __x86_64__
static pthread_cond_t old_condition;  // all zero, as its initialiser was
int OldWait(pthread_cond_t*, pthread_mutex_t*);
int OldSignal(pthread_cond_t*);
__asm__(".symver OldWait, pthread_cond_wait@GLIBC_2.2.5");
__asm__(".symver OldSignal, pthread_cond_signal@GLIBC_2.2.5");
static void* SignalOld(void* unused) {
  pthread_mutex_lock(&mutex);
  signalled = healthy;
  if (healthy) OldSignal(&old_condition);
  pthread_mutex_unlock(&mutex);
  return unused;
}
static void OldCondition(void) {
  pthread_t one;
  pthread_mutex_lock(&mutex);
  pthread_create(&one, NULL, SignalOld, NULL);
  while (!signalled) OldWait(&old_condition, &mutex);
  pthread_mutex_unlock(&mutex);
  pthread_join(one, NULL);
}
#endif

static const struct {
  const char* kind;
  void (*run)(void);
} kKinds[] = {
    {"two_pairs", TwoPairs},
    {"spin", Spin},           {"spin_mutex", SpinMutex}, {"spin_self", SpinSelf},
    {"barrier", Barrier},     {"mtx", Mtx},              {"cnd", Cnd},
    {"once_self", OnceSelf},  {"once", Once},            {"once_mutex", OnceMutex},
    {"futex", Futex},
#ifdef __x86_64__
    {"old_condition", OldCondition},
#endif
};

int main(int count, char** arguments) {
  healthy = count > 2;
  for (size_t i = 0; i < sizeof(kKinds) / sizeof(kKinds[0]); ++i) {
    if (count > 1 && strcmp(arguments[1], kKinds[i].kind) == 0) {
      kKinds[i].run();
      return 0;
    }
  }
  return 64;
}
