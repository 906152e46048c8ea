// Threads that end themselves, with what is to run then, and threads that are given names.
#include <sched.h>
#include <stdlib.h>

#include "row.h"

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_key_t key;

static void CleanUp(void* number) {
  pthread_mutex_lock(&mutex);
  Print("cleanup %ld\n", (long)number);
  pthread_mutex_unlock(&mutex);
}
static void Destroy(void* number) { Print("destructor %ld\n", (long)number); }

static void ExitFromWithin(int depth) {
  pthread_cleanup_push(CleanUp, (void*)(long)depth);
  if (depth == 0) pthread_exit((void*)21);
  if (depth > 0) ExitFromWithin(depth - 1);
  pthread_cleanup_pop(0);
}
static void* ExitDeep(void* unused) {
  pthread_setspecific(key, (void*)5);
  ExitFromWithin(3);
  return unused;
}
static void* ExitHolding(void* unused) {
  pthread_mutex_t* forgotten = unused;
  pthread_mutex_lock(forgotten);
  pthread_exit((void*)24);
}

static void Exits(void) {
  pthread_mutex_t forgotten = PTHREAD_MUTEX_INITIALIZER;
  pthread_key_create(&key, Destroy);
  Print("result %ld\n", (long)InThread(ExitDeep, NULL));
  Print("result %ld\n", (long)InThread(ExitHolding, &forgotten));
  SHOW(pthread_mutex_trylock(&forgotten));
  pthread_key_delete(key);
}

static void AtExit(void) { Print("atexit\n"); }
static void MainExitsAlone(void* unused) {
  pthread_cleanup_push(CleanUp, unused);
  atexit(AtExit);
  pthread_exit(NULL);
  pthread_cleanup_pop(0);
}
static void MainExits(void) {
  fflush(stdout);
  SHOW_VALUE(InChild(MainExitsAlone, (void*)6));
}

static sem_t go;
static void* WaitForGo(void* unused) {
  sem_wait(&go);
  return unused;
}
static void ShowName(pthread_t thread) {
  char name[32] = "";
  SHOW(pthread_getname_np(thread, name, sizeof(name)));
  Print("name '%s'\n", name);
}
static void* NameItself(void* unused) {
  ShowName(pthread_self());
  SHOW(pthread_setname_np(pthread_self(), "itself"));
  ShowName(pthread_self());
  return unused;
}

static void Names(void) {
  pthread_t thread;
  sem_init(&go, 0, 0);
  pthread_create(&thread, NULL, WaitForGo, NULL);
  SHOW(pthread_setname_np(thread, "worker"));
  ShowName(thread);
  SHOW(pthread_setname_np(thread, "fifteen letters"));
  ShowName(thread);
  SHOW(pthread_setname_np(thread, "sixteen letters."));
  ShowName(thread);
  SHOW(pthread_setname_np(thread, ""));
  ShowName(thread);
  sem_post(&go);
  SHOW(pthread_join(thread, NULL));
  InThread(NameItself, NULL);
  char before[32] = "";
  pthread_getname_np(pthread_self(), before, sizeof(before));
  SHOW(pthread_setname_np(pthread_self(), "main"));
  InThread(NameItself, NULL);  // a new thread has its creator's name
  SHOW(pthread_setname_np(pthread_self(), before));
}

const struct Row kThreadEndRows[] = {
    {"pthread_exit pthread_mutex_lock", "with cleanup handlers, and holding", Exits},
    {"pthread_exit", "the only thread", MainExits},
    {"pthread_setname_np", "of itself, of others, too long", Names},
    {0}};
