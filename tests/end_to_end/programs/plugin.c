// A library that is loaded at run time, with two locks of its own.
#include <pthread.h>
#include <stdio.h>

pthread_mutex_t plugin_first = PTHREAD_MUTEX_INITIALIZER,
                plugin_second = PTHREAD_MUTEX_INITIALIZER;

static void TakeBoth(pthread_mutex_t* a, pthread_mutex_t* b) {
  pthread_mutex_lock(a);
  pthread_mutex_lock(b);
  pthread_mutex_unlock(b);
  pthread_mutex_unlock(a);
}

__attribute__((noinline)) void* PluginForth(void* unused) {
  TakeBoth(&plugin_first, &plugin_second);
  return unused;
}
__attribute__((noinline)) void* PluginBack(void* unused) {
  TakeBoth(&plugin_second, &plugin_first);
  return unused;
}
