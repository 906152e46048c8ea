// Libraries in cramped or separate places.
//   loading tls PLUGIN...     loads libraries with more and more thread-local storage
//   loading namespace PLUGIN  loads one with a libc of its own (dlmopen)
#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

static int use(void* plugin) {
  int (*count)(void) = (int (*)(void))dlsym(plugin, "plugin_count");
  if (count == NULL) return -1;
  count();
  return count();
}

int main(int argc, char** argv) {
  static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
  if (argc < 3) return 64;
  const int own_namespace = strcmp(argv[1], "namespace") == 0;
  for (int i = 2; i < argc; ++i) {
    pthread_mutex_lock(&mutex);
    void* plugin = own_namespace ? dlmopen(LM_ID_NEWLM, argv[i], RTLD_NOW | RTLD_LOCAL)
                                 : dlopen(argv[i], RTLD_NOW | RTLD_LOCAL);
    pthread_mutex_unlock(&mutex);
    printf("%d: %d\n", i - 1, plugin == NULL ? 0 : use(plugin));
  }
  return 0;
}
