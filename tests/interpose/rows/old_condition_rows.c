// Conditions as programs linked before glibc 2.3.2 call them: another symbol version, whose
// object is a pointer to a condition that glibc allocates. Only x86-64 has it.
#include "row.h"

#ifdef __x86_64__
int OldInit(pthread_cond_t*, const pthread_condattr_t*);
int OldDestroy(pthread_cond_t*);
int OldWait(pthread_cond_t*, pthread_mutex_t*);
int OldTimedWait(pthread_cond_t*, pthread_mutex_t*, const struct timespec*);
int OldSignal(pthread_cond_t*);
int OldBroadcast(pthread_cond_t*);
__asm__(".symver OldInit, pthread_cond_init@GLIBC_2.2.5");
__asm__(".symver OldDestroy, pthread_cond_destroy@GLIBC_2.2.5");
__asm__(".symver OldWait, pthread_cond_wait@GLIBC_2.2.5");
__asm__(".symver OldTimedWait, pthread_cond_timedwait@GLIBC_2.2.5");
__asm__(".symver OldSignal, pthread_cond_signal@GLIBC_2.2.5");
__asm__(".symver OldBroadcast, pthread_cond_broadcast@GLIBC_2.2.5");

// Guarded by what follows it: a new condition there would overwrite that.
static struct {
  void* condition;
  long guard[6];
} old;
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static int turn;

static pthread_cond_t* Condition(void) { return (pthread_cond_t*)&old; }

static void* Other(void* unused) {
  for (int i = 0; i < 500; ++i) {
    pthread_mutex_lock(&mutex);
    while (turn != 1) OldWait(Condition(), &mutex);
    turn = 0;
    OldSignal(Condition());
    pthread_mutex_unlock(&mutex);
  }
  return unused;
}

static void* TryLock(void* m) { return (void*)(long)pthread_mutex_trylock(m); }

static void HandedToAndFro(void) {
  struct timespec past = Past(), soon = Soon(CLOCK_REALTIME);
  struct timespec wrong = {.tv_sec = 1, .tv_nsec = 1000000000};
  pthread_t thread;
  long overwritten = 0;
  for (int i = 0; i < 6; ++i) old.guard[i] = 0x1234567;
  SHOW(OldInit(Condition(), NULL));
  pthread_mutex_lock(&mutex);
  SHOW(OldTimedWait(Condition(), &mutex, &past));
  SHOW(OldTimedWait(Condition(), &mutex, &soon));
  SHOW(OldTimedWait(Condition(), &mutex, &wrong));
  SHOW((int)(long)InThread(TryLock, &mutex));
  pthread_mutex_unlock(&mutex);
  pthread_create(&thread, NULL, Other, NULL);
  for (int i = 0; i < 500; ++i) {
    pthread_mutex_lock(&mutex);
    turn = 1;
    OldBroadcast(Condition());
    while (turn != 0) OldWait(Condition(), &mutex);
    pthread_mutex_unlock(&mutex);
  }
  pthread_join(thread, NULL);
  SHOW(OldDestroy(Condition()));
  for (int i = 0; i < 6; ++i) overwritten += old.guard[i] != 0x1234567;
  Print("overwritten %ld\n", overwritten);
}

static void Unlock(void* m) { pthread_mutex_unlock(m); }
static void* WaitForEver(void* unused) {
  pthread_mutex_lock(&mutex);
  pthread_cleanup_push(Unlock, &mutex);
  while (turn != 5) OldWait(Condition(), &mutex);
  pthread_cleanup_pop(1);
  return unused;
}
static void Cancelled(void) {
  pthread_t thread;
  void* result = NULL;
  SHOW(OldInit(Condition(), NULL));
  pthread_create(&thread, NULL, WaitForEver, NULL);
  SHOW(pthread_cancel(thread));
  SHOW(pthread_join(thread, &result));
  Print("cancelled %d\n", result == PTHREAD_CANCELED);
  SHOW(pthread_mutex_trylock(&mutex));
  SHOW(pthread_mutex_unlock(&mutex));
}

const struct Row kOldConditionRows[] = {
    {"pthread_cond_wait pthread_cond_timedwait", "old conditions: handed to and fro",
     HandedToAndFro},
    {"pthread_cond_wait", "old conditions: cancelled", Cancelled},
    {0}};
#else
const struct Row kOldConditionRows[] = {{0}};
#endif
