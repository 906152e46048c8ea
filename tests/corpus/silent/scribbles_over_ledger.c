// expect: no deadlock
// A program that corrupts its own memory, Lockwarden's ledger included, while its threads
// lock. What is told of it then may be anything but a deadlock, and the reader survives.
#include "../corpus.h"

static pthread_mutex_t locks[4] = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_MUTEX_INITIALIZER,
                                   PTHREAD_MUTEX_INITIALIZER, PTHREAD_MUTEX_INITIALIZER};

static unsigned next(unsigned* seed) { return *seed = *seed * 1664525u + 1013904223u; }

static void scribble(unsigned seed, int rounds) {
  char line[512];
  FILE* maps = fopen("/proc/self/maps", "re");
  while (fgets(line, sizeof line, maps)) {
    unsigned long from, to;
    char mode[5];
    if (strstr(line, "lockwarden-ledger") == NULL ||
        sscanf(line, "%lx-%lx %4s", &from, &to, mode) != 3 || mode[1] != 'w') {
      continue;
    }
    const size_t bytes = to - from < 4u << 20 ? to - from : 4u << 20;
    for (int i = 0; i < rounds; ++i) {
      ((volatile unsigned char*)from)[(next(&seed) >> 4) % bytes] = (unsigned char)(next(&seed) >> 16);
      if (i % 64 == 0) usleep(100);
    }
  }
  fclose(maps);
}

int main(void) {
  // Children, so that one that the scribbling kills is no failure.
  for (unsigned i = 0; i < 4; ++i) {
    const pid_t child = fork();
    if (child == 0) {
      alarm(20);
      unsigned seed = i + 1;
      for (int round = 0; round < 40; ++round) {
        pthread_mutex_t* lock = &locks[next(&seed) % 4];
        pthread_mutex_lock(lock);
        scribble(seed, 500);
        pthread_mutex_unlock(lock);
      }
      _exit(0);
    }
  }
  for (int i = 0; i < 4; ++i) wait(NULL);
  return 0;
}
