// Memory: many locks, or many threads, that each do what little it takes to be known. Prints
// the resident memory of the process in kB when all of them are there.
//
//   many_locks locks N      N mutexes, each taken twice
//   many_locks threads N    N threads, each of which has taken one mutex, alive together
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static pthread_barrier_t everybody;
static pthread_mutex_t one = PTHREAD_MUTEX_INITIALIZER;

static long ResidentKilobytes(void) {
  FILE* status = fopen("/proc/self/status", "r");
  if (status == NULL) return -1;
  char line[256];
  long resident = -1;
  while (fgets(line, sizeof(line), status) != NULL) {
    if (strncmp(line, "VmRSS:", 6) == 0) resident = strtol(line + 6, NULL, 10);
  }
  fclose(status);
  return resident;
}

static void* Live(void* unused) {
  pthread_mutex_lock(&one);
  pthread_mutex_unlock(&one);
  pthread_barrier_wait(&everybody);
  pthread_barrier_wait(&everybody);
  return unused;
}

static int Threads(size_t count) {
  pthread_t* threads = calloc(count, sizeof(*threads));
  if (threads == NULL || pthread_barrier_init(&everybody, NULL, (unsigned)count + 1) != 0) return 1;
  for (size_t i = 0; i < count; ++i) {
    if (pthread_create(&threads[i], NULL, Live, NULL) != 0) return 1;
  }
  pthread_barrier_wait(&everybody);
  printf("%ld\n", ResidentKilobytes());
  pthread_barrier_wait(&everybody);
  for (size_t i = 0; i < count; ++i) pthread_join(threads[i], NULL);
  free(threads);
  return 0;
}

static int Locks(size_t count) {
  pthread_mutex_t* locks = calloc(count, sizeof(*locks));
  if (locks == NULL) return 1;
  for (int round = 0; round < 2; ++round) {
    for (size_t i = 0; i < count; ++i) {
      pthread_mutex_lock(&locks[i]);
      pthread_mutex_unlock(&locks[i]);
    }
  }
  printf("%ld\n", ResidentKilobytes());
  free(locks);
  return 0;
}

int main(int count, char** arguments) {
  if (count != 3) return 64;
  const size_t number = strtoul(arguments[2], NULL, 10);
  return strcmp(arguments[1], "locks") == 0 ? Locks(number) : Threads(number);
}
