// expect: nothing
// The whole process is stopped and continued while its threads queue for locks.
#include "../corpus.h"

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static sem_t semaphore;

static void* queue(void* unused) {
  pthread_mutex_lock(&mutex);
  pthread_mutex_unlock(&mutex);
  sem_wait(&semaphore);
  return unused;
}

int main(void) {
  sem_init(&semaphore, 0, 0);
  pthread_mutex_lock(&mutex);
  const pthread_t one = start(queue, NULL), two = start(queue, NULL);
  const pid_t parent = getpid(), child = fork();
  if (child == 0) {
    for (int i = 0; i < 5; ++i) {
      kill(parent, SIGSTOP);
      nap(100);
      kill(parent, SIGCONT);
      nap(20);
    }
    _exit(0);
  }
  CHECK(waitpid(child, NULL, 0) == child);
  pthread_mutex_unlock(&mutex);
  stand();
  sem_post(&semaphore);
  sem_post(&semaphore);
  join(one);
  join(two);
  return 0;
}
