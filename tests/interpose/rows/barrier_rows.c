// Barriers: values, the serial thread, rounds, sharing between processes.
#include <limits.h>
#include <stdatomic.h>

#include "row.h"

static void Values(void) {
  pthread_barrier_t barrier;
  SHOW(pthread_barrier_init(&barrier, NULL, 0));
  SHOW(pthread_barrier_init(&barrier, NULL, (unsigned)INT_MAX + 1u));
  SHOW(pthread_barrier_init(&barrier, NULL, 1));
  for (int i = 0; i < 3; ++i) {
    SHOW_VALUE(pthread_barrier_wait(&barrier) == PTHREAD_BARRIER_SERIAL_THREAD);
  }
  SHOW(pthread_barrier_destroy(&barrier));
}

enum { kParties = 4, kRounds = 200 };
static pthread_barrier_t barrier;
static atomic_int serial, other;
static void* Rounds(void* unused) {
  for (int i = 0; i < kRounds; ++i) {
    const int result = pthread_barrier_wait(&barrier);
    if (result == PTHREAD_BARRIER_SERIAL_THREAD) ++serial;
    if (result == 0) ++other;
  }
  return unused;
}

static void InRounds(void) {
  pthread_t threads[kParties];
  SHOW(pthread_barrier_init(&barrier, NULL, kParties));
  for (int i = 0; i < kParties; ++i) pthread_create(&threads[i], NULL, Rounds, NULL);
  for (int i = 0; i < kParties; ++i) pthread_join(threads[i], NULL);
  Print("serial %d, other %d\n", serial, other);
  SHOW(pthread_barrier_destroy(&barrier));
}

// Destroyed by the first that is out, while others are on their way.
static void* ArriveOnce(void* unused) {
  if (pthread_barrier_wait(&barrier) == PTHREAD_BARRIER_SERIAL_THREAD) {
    pthread_barrier_destroy(&barrier);
    ++serial;
  }
  return unused;
}
static void DestroyedAtOnce(void) {
  serial = 0;
  for (int round = 0; round < 50; ++round) {
    pthread_t threads[kParties];
    pthread_barrier_init(&barrier, NULL, kParties);
    for (int i = 0; i < kParties; ++i) pthread_create(&threads[i], NULL, ArriveOnce, NULL);
    for (int i = 0; i < kParties; ++i) pthread_join(threads[i], NULL);
  }
  Print("destroyed %d\n", serial);
}

static void ArriveInChild(void* shared) { _exit(pthread_barrier_wait(shared) != 0); }
static void* ArriveInThread(void* shared) {
  return (void*)(long)(pthread_barrier_wait(shared) != 0);
}
static void Shared(void) {
  pthread_barrier_t* shared = SharedMemory(sizeof(*shared));
  pthread_barrierattr_t attributes;
  pthread_t thread;
  void* first = NULL;
  pthread_barrierattr_init(&attributes);
  pthread_barrierattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED);
  SHOW(pthread_barrier_init(shared, &attributes, 2));
  pthread_create(&thread, NULL, ArriveInThread, shared);
  const int second = InChild(ArriveInChild, shared);
  pthread_join(thread, &first);
  Print("one of the two is the serial one: %d\n", ((long)first != 0) + (second != 0));
  SHOW(pthread_barrier_destroy(shared));
}

const struct Row kBarrierRows[] = {
    {"pthread_barrier_init pthread_barrier_wait pthread_barrier_destroy", "barriers: values",
     Values},
    {"pthread_barrier_wait", "barriers: in rounds", InRounds},
    {"pthread_barrier_destroy", "barriers: destroyed by the first that is out", DestroyedAtOnce},
    {"pthread_barrier_init pthread_barrier_wait", "barriers: shared with a child", Shared},
    {0}};
