// Forks again and again while other threads take and release locks; each child uses locks
// of its own and some start a thread. Exit code 0 if all children ended well.
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

enum { kChildren = 40, kBusyThreads = 4 };

static pthread_mutex_t shared_by_threads = PTHREAD_MUTEX_INITIALIZER;
static pthread_mutex_t nested = PTHREAD_MUTEX_INITIALIZER;
static atomic_bool stop;

static void* busy(void* unused) {
  while (!atomic_load(&stop)) {
    pthread_mutex_lock(&shared_by_threads);
    pthread_mutex_lock(&nested);
    pthread_mutex_unlock(&nested);
    pthread_mutex_unlock(&shared_by_threads);
  }
  return unused;
}

static pthread_mutex_t of_the_child = PTHREAD_MUTEX_INITIALIZER;

static void* count(void* number) {
  for (int i = 0; i < 1000; ++i) {
    pthread_mutex_lock(&of_the_child);
    ++*(int*)number;
    pthread_mutex_unlock(&of_the_child);
  }
  return NULL;
}

static int child(int index) {
  int number = 0;
  pthread_t thread;
  const int with_thread = index % 2;
  if (with_thread && pthread_create(&thread, NULL, count, &number) != 0) return 1;
  count(&number);
  if (with_thread) pthread_join(thread, NULL);
  return number == (with_thread ? 2000 : 1000) ? 0 : 1;
}

int main(void) {
  pthread_t threads[kBusyThreads];
  int bad = 0;
  for (int i = 0; i < kBusyThreads; ++i) {
    if (pthread_create(&threads[i], NULL, busy, NULL) != 0) return 1;
  }
  for (int i = 0; i < kChildren; ++i) {
    const pid_t pid = fork();
    if (pid < 0) return 1;
    if (pid == 0) exit(child(i));
    int status = 0;
    if (waitpid(pid, &status, 0) != pid || status != 0) ++bad;
  }
  atomic_store(&stop, 1);
  for (int i = 0; i < kBusyThreads; ++i) pthread_join(threads[i], NULL);
  printf("%d children, %d bad\n", kChildren, bad);
  return bad == 0 ? 0 : 1;
}
