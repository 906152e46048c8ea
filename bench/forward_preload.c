// A preload library that only forwards: what any interposition costs before it records
// anything. Resolves when it is loaded, so that a call is a load and a jump.
//
// Thread safety: the two pointers are written once, before main.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <pthread.h>
#include <stdlib.h>

static int (*real_lock)(pthread_mutex_t*);
static int (*real_unlock)(pthread_mutex_t*);

__attribute__((constructor)) static void Resolve(void) {
  *(void**)&real_lock = dlsym(RTLD_NEXT, "pthread_mutex_lock");
  *(void**)&real_unlock = dlsym(RTLD_NEXT, "pthread_mutex_unlock");
  if (real_lock == NULL || real_unlock == NULL) abort();
}

// Constructors of other libraries may lock before ours has run.
int pthread_mutex_lock(pthread_mutex_t* mutex) {
  if (real_lock == NULL) Resolve();
  return real_lock(mutex);
}

int pthread_mutex_unlock(pthread_mutex_t* mutex) {
  if (real_unlock == NULL) Resolve();
  return real_unlock(mutex);
}
