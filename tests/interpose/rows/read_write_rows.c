// Read-write locks of each preference, shared and exclusive.
#include <sched.h>

#include "row.h"

static pthread_rwlock_t Make(int preference) {
  pthread_rwlock_t lock;
  pthread_rwlockattr_t attributes;
  pthread_rwlockattr_init(&attributes);
  pthread_rwlockattr_setkind_np(&attributes, preference);
  SHOW(pthread_rwlock_init(&lock, &attributes));
  pthread_rwlockattr_destroy(&attributes);
  return lock;
}

static void* TryAll(void* l) {
  pthread_rwlock_t* lock = l;
  struct timespec past = Past(), soon = Soon(CLOCK_REALTIME), monotonic = Soon(CLOCK_MONOTONIC);
  struct timespec wrong = {.tv_sec = 1, .tv_nsec = 1000000000};
  int taken = 0;
#define TRY(call)                        \
  do {                                   \
    errno = kUntouched;                  \
    const int try_result = (call);       \
    Print("%s: %s, errno %s\n", #call, ErrorName(try_result), ErrorName(errno)); \
    if (try_result == 0) {               \
      ++taken;                           \
      SHOW(pthread_rwlock_unlock(lock)); \
    }                                    \
  } while (0)
  TRY(pthread_rwlock_tryrdlock(lock));
  TRY(pthread_rwlock_trywrlock(lock));
  TRY(pthread_rwlock_timedrdlock(lock, &past));
  TRY(pthread_rwlock_timedwrlock(lock, &past));
  TRY(pthread_rwlock_timedrdlock(lock, &soon));
  TRY(pthread_rwlock_timedwrlock(lock, &soon));
  TRY(pthread_rwlock_clockrdlock(lock, CLOCK_MONOTONIC, &past));
  TRY(pthread_rwlock_clockwrlock(lock, CLOCK_MONOTONIC, &monotonic));
  TRY(pthread_rwlock_clockwrlock(lock, CLOCK_PROCESS_CPUTIME_ID, &past));
  TRY(pthread_rwlock_timedrdlock(lock, &wrong));
  TRY(pthread_rwlock_timedwrlock(lock, &wrong));
#undef TRY
  Print("taken: %d\n", taken);
  return NULL;
}

static void EveryPreference(void) {
  const int preferences[] = {PTHREAD_RWLOCK_PREFER_READER_NP, PTHREAD_RWLOCK_PREFER_WRITER_NP,
                             PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP};
  for (int i = 0; i < 3; ++i) {
    pthread_rwlock_t lock = Make(preferences[i]);
    InThread(TryAll, &lock);
    SHOW(pthread_rwlock_rdlock(&lock));
    InThread(TryAll, &lock);
    SHOW(pthread_rwlock_rdlock(&lock));
    SHOW(pthread_rwlock_unlock(&lock));
    SHOW(pthread_rwlock_trywrlock(&lock));
    SHOW(pthread_rwlock_unlock(&lock));
    SHOW(pthread_rwlock_wrlock(&lock));
    InThread(TryAll, &lock);
    SHOW(pthread_rwlock_rdlock(&lock));  // by the writer
    SHOW(pthread_rwlock_wrlock(&lock));
    SHOW(pthread_rwlock_tryrdlock(&lock));
    SHOW(pthread_rwlock_unlock(&lock));
    SHOW(pthread_rwlock_destroy(&lock));
  }
}

// As many readers as a count can hold, as if it had been locked so often.
static void CountedOut(void) {
  pthread_rwlock_t lock = PTHREAD_RWLOCK_INITIALIZER;
  struct timespec past = Past();
  lock.__data.__readers = 0x7ffffff8;
  SHOW(pthread_rwlock_rdlock(&lock));
  SHOW(pthread_rwlock_tryrdlock(&lock));
  SHOW(pthread_rwlock_timedrdlock(&lock, &past));
  SHOW(pthread_rwlock_clockrdlock(&lock, CLOCK_MONOTONIC, &past));
  lock.__data.__readers = 0;
  SHOW(pthread_rwlock_rdlock(&lock));
  SHOW(pthread_rwlock_unlock(&lock));
}

static void* TryShared(void* l) {
  pthread_rwlock_t* lock = l;
  SHOW(pthread_rwlock_trywrlock(lock));
  const int result = pthread_rwlock_tryrdlock(lock);
  Print("to read: %s\n", ErrorName(result));
  if (result == 0) SHOW(pthread_rwlock_unlock(lock));
  return NULL;
}
static void TrySharedInChild(void* lock) {
  TryShared(lock);
  fflush(stdout);
}

static void Shared(void) {
  pthread_rwlock_t* lock = SharedMemory(sizeof(*lock));
  pthread_rwlockattr_t attributes;
  pthread_rwlockattr_init(&attributes);
  pthread_rwlockattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED);
  SHOW(pthread_rwlock_init(lock, &attributes));
  SHOW(pthread_rwlock_rdlock(lock));
  SHOW_VALUE(InChild(TrySharedInChild, lock));
  SHOW(pthread_rwlock_unlock(lock));
  SHOW(pthread_rwlock_wrlock(lock));
  SHOW_VALUE(InChild(TrySharedInChild, lock));
  SHOW(pthread_rwlock_unlock(lock));
  SHOW(pthread_rwlock_destroy(lock));
}

// A reader that already reads is let in beside a waiting writer, or not, as the lock prefers.
static pthread_rwlock_t preferring;
static void* WaitToWrite(void* unused) {
  pthread_rwlock_wrlock(&preferring);
  pthread_rwlock_unlock(&preferring);
  return unused;
}
static void WriterWaits(void) {
  const int preferences[] = {PTHREAD_RWLOCK_PREFER_READER_NP, PTHREAD_RWLOCK_PREFER_WRITER_NP,
                             PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP};
  for (int i = 0; i < 3; ++i) {
    pthread_t writer;
    preferring = Make(preferences[i]);
    SHOW(pthread_rwlock_rdlock(&preferring));
    pthread_create(&writer, NULL, WaitToWrite, NULL);
    // "A writer waits" is bit 1 of the first word.
    while ((*(volatile unsigned*)&preferring.__data.__readers & 2) == 0) sched_yield();
    InThread(TryShared, &preferring);
    SHOW(pthread_rwlock_unlock(&preferring));
    SHOW(pthread_join(writer, NULL));
    SHOW(pthread_rwlock_destroy(&preferring));
  }
}

static pthread_rwlock_t contended = PTHREAD_RWLOCK_INITIALIZER;
static long guarded;
static void* ReadAndWrite(void* unused) {
  long wrong = 0;
  (void)unused;
  for (int i = 0; i < 5000; ++i) {
    pthread_rwlock_wrlock(&contended);
    ++guarded;
    pthread_rwlock_unlock(&contended);
    pthread_rwlock_rdlock(&contended);
    const long a = guarded;
    wrong += a != *(volatile long*)&guarded;
    pthread_rwlock_unlock(&contended);
  }
  return (void*)wrong;
}

static void Contended(void) {
  pthread_t threads[3];
  long wrong = 0;
  for (int i = 0; i < 3; ++i) pthread_create(&threads[i], NULL, ReadAndWrite, NULL);
  for (int i = 0; i < 3; ++i) {
    void* result = NULL;
    pthread_join(threads[i], &result);
    wrong += (long)result;
  }
  Print("writes %ld, wrong reads %ld\n", guarded, wrong);
}

const struct Row kReadWriteRows[] = {
    {"pthread_rwlock_init pthread_rwlock_rdlock pthread_rwlock_tryrdlock "
     "pthread_rwlock_timedrdlock pthread_rwlock_clockrdlock pthread_rwlock_wrlock "
     "pthread_rwlock_trywrlock pthread_rwlock_timedwrlock pthread_rwlock_clockwrlock "
     "pthread_rwlock_unlock pthread_rwlock_destroy",
     "every preference, free, read and written", EveryPreference},
    {"pthread_rwlock_rdlock pthread_rwlock_tryrdlock pthread_rwlock_timedrdlock "
     "pthread_rwlock_clockrdlock",
     "counted out", CountedOut},
    {"pthread_rwlock_init pthread_rwlock_rdlock pthread_rwlock_wrlock", "shared with a child",
     Shared},
    {"pthread_rwlock_tryrdlock pthread_rwlock_trywrlock", "a writer waits", WriterWaits},
    {"pthread_rwlock_rdlock pthread_rwlock_wrlock", "contended", Contended},
    {0}};
