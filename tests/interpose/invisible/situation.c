// Runs the situation that the first argument names. Exit code 90: there is none of that
// name; 91: the machine does not give what it needs.
#include "situation.h"

#include <semaphore.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { kThreads = 4, kRounds = 500 };

const char* own_path;

static pthread_mutex_t outer = PTHREAD_MUTEX_INITIALIZER;
static pthread_mutex_t inner = PTHREAD_MUTEX_INITIALIZER;
static pthread_rwlock_t table = PTHREAD_RWLOCK_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static sem_t units;
static int count, arrived;

static void* take_part(void* unused) {
  for (int i = 0; i < kRounds; ++i) {
    pthread_mutex_lock(&outer);
    pthread_mutex_lock(&inner);
    ++count;
    pthread_mutex_unlock(&inner);
    pthread_mutex_unlock(&outer);
    pthread_rwlock_rdlock(&table);
    pthread_rwlock_unlock(&table);
    sem_wait(&units);
    sem_post(&units);
  }
  pthread_mutex_lock(&outer);
  ++arrived;
  pthread_cond_broadcast(&changed);
  while (arrived < kThreads) pthread_cond_wait(&changed, &outer);
  pthread_mutex_unlock(&outer);
  return unused;
}

int workout(const char* name) {
  pthread_t threads[kThreads];
  count = arrived = 0;
  sem_init(&units, 0, 2);
  for (int i = 0; i < kThreads; ++i) {
    need(pthread_create(&threads[i], NULL, take_part, NULL) == 0, "a thread");
  }
  for (int i = 0; i < kThreads; ++i) pthread_join(threads[i], NULL);
  const int good = count == kThreads * kRounds;
  printf("%s: %s\n", name, good ? "works" : "miscounts");
  fflush(stdout);
  return good ? 0 : 1;
}

static void* stay_busy(void* unused) {
  static pthread_mutex_t first = PTHREAD_MUTEX_INITIALIZER;
  static pthread_mutex_t second = PTHREAD_MUTEX_INITIALIZER;
  for (;;) {
    pthread_mutex_lock(&first);
    pthread_mutex_lock(&second);
    pthread_mutex_unlock(&second);
    pthread_mutex_unlock(&first);
  }
  return unused;
}

void start_busy_threads(int how_many) {
  for (int i = 0; i < how_many; ++i) {
    pthread_t thread;
    need(pthread_create(&thread, NULL, stay_busy, NULL) == 0, "a thread");
    pthread_detach(thread);
  }
}

int print_end(const char* name, int pid) {
  int status = 0;
  if (waitpid(pid, &status, 0) != pid) {
    printf("%s: no child\n", name);
    return 1;
  }
  if (WIFSIGNALED(status)) {
    printf("%s: signal %d\n", name, WTERMSIG(status));
  } else {
    printf("%s: code %d\n", name, WEXITSTATUS(status));
  }
  fflush(stdout);
  return status;
}

void need(int condition, const char* what) {
  if (condition) return;
  fprintf(stderr, "cannot have %s\n", what);
  _exit(91);
}

static int plain_workout(void) { return workout("threads"); }
static int nothing(void) { return 0; }
static const struct situation own_situations[] = {
    {"workout", plain_workout}, {"nothing", nothing}, {NULL, NULL}};

int main(int argc, char** argv) {
  static const struct situation* const tables[] = {
      own_situations,     fork_situations,     exec_situations,  ending_situations,
      sandbox_situations, confined_situations, crowd_situations, odd_situations};
  own_path = argv[0];
  for (size_t t = 0; argc > 1 && t < sizeof(tables) / sizeof(tables[0]); ++t) {
    for (const struct situation* s = tables[t]; s->name != NULL; ++s) {
      if (strcmp(s->name, argv[1]) == 0) return s->run();
    }
  }
  fprintf(stderr, "no such situation\n");
  return 90;
}
