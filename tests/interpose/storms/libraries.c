// Libraries that come and go, from several threads, while their own locks are used and
// others lock, and unwind, and look at the list of libraries.
#include "storm.h"

#include <dlfcn.h>
#include <link.h>
#include <stddef.h>

enum { kOpeners = 3, kLockers = 3, kLocks = 8 };

static pthread_mutex_t locks[kLocks];
static atomic_int stop;
static atomic_long opened, answers;

static int CountObject(struct dl_phdr_info* info, size_t size, void* count) {
  (void)info;
  (void)size;
  ++*(int*)count;
  return 0;
}

static void* LockUntilStopped(void* argument) {
  uint64_t state = *(uint64_t*)argument;
  while (!stop) {
    pthread_mutex_t* mutex = &locks[Next(&state) % kLocks];
    MUST(pthread_mutex_lock(mutex) == 0);
    MUST(pthread_mutex_unlock(mutex) == 0);
    if (Next(&state) % 64 == 0) {
      int count = 0;
      dl_iterate_phdr(CountObject, &count);
      MUST(count > 1);
    }
  }
  return NULL;
}

static void* OpenAndClose(void* argument) {
  const uint64_t* arguments = argument;
  uint64_t state = arguments[0];
  for (uint64_t i = 0; i < arguments[1]; ++i) {
    const char* path = plugin_paths[Next(&state) % (uint64_t)plugin_count];
    void* library = dlopen(path, Next(&state) % 2 == 0 ? RTLD_NOW : RTLD_LAZY);
    MUST(library != NULL);
    int (*answer)(void) = (int (*)(void))dlsym(library, "PluginAnswer");
    MUST(answer != NULL);
    // Locks of its own, which the next library at this address will not know.
    for (int turn = 0; turn < 3; ++turn) answers += answer();
    MUST(dlclose(library) == 0);
    ++opened;
  }
  return NULL;
}

void Libraries(uint64_t seed, int rounds) {
  uint64_t state = seed, locker_seeds[kLockers], arguments[kOpeners][2];
  pthread_t lockers[kLockers], openers[kOpeners];
  MUST(plugin_count > 0);
  for (int i = 0; i < kLocks; ++i) pthread_mutex_init(&locks[i], NULL);
  for (int i = 0; i < kLockers; ++i) {
    locker_seeds[i] = Next(&state);
    MUST(pthread_create(&lockers[i], NULL, LockUntilStopped, &locker_seeds[i]) == 0);
  }
  for (int i = 0; i < kOpeners; ++i) {
    arguments[i][0] = Next(&state);
    arguments[i][1] = (uint64_t)rounds / kOpeners;
    MUST(pthread_create(&openers[i], NULL, OpenAndClose, arguments[i]) == 0);
  }
  for (int i = 0; i < kOpeners; ++i) MUST(pthread_join(openers[i], NULL) == 0);
  stop = 1;
  for (int i = 0; i < kLockers; ++i) MUST(pthread_join(lockers[i], NULL) == 0);
  printf("opened %ld, right answers %d\n", atomic_load(&opened), answers == 3 * opened);
}
