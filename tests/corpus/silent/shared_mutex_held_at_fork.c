// expect: nothing
// The parent forks while it holds a process-shared mutex, in a process with other threads;
// the child waits for it, and the parent releases it.
#include "../corpus.h"

static pthread_mutex_t* mutex;
static sem_t stop;

static void* idle(void* unused) {
  sem_wait(&stop);
  return unused;
}

int main(void) {
  mutex = (pthread_mutex_t*)shared_memory(sizeof *mutex);
  pthread_mutexattr_t shared;
  pthread_mutexattr_init(&shared);
  pthread_mutexattr_setpshared(&shared, PTHREAD_PROCESS_SHARED);
  pthread_mutex_init(mutex, &shared);
  sem_init(&stop, 0, 0);
  const pthread_t thread = start(idle, NULL);
  pthread_mutex_lock(mutex);
  const pid_t child = fork();
  if (child == 0) {
    pthread_mutex_lock(mutex);
    pthread_mutex_unlock(mutex);
    _exit(0);
  }
  stand();
  pthread_mutex_unlock(mutex);
  CHECK(waitpid(child, NULL, 0) == child);
  sem_post(&stop);
  join(thread);
  return 0;
}
