// A library with PLUGIN_TLS bytes of thread-local storage that must lie in the static block.
#include <pthread.h>

static __thread char storage[PLUGIN_TLS] __attribute__((tls_model("initial-exec")));
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;

int plugin_count(void) {
  pthread_mutex_lock(&mutex);
  const int count = ++storage[PLUGIN_TLS - 1];
  pthread_mutex_unlock(&mutex);
  return count;
}
