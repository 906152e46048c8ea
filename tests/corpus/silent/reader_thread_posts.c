// expect: nothing
// One thread is in read() on a pipe that another process writes to; then it posts to the
// threads that wait on a condition and a semaphore.
#include "../corpus.h"

static int ends[2];
static sem_t work;
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static int ready;

static void* reads(void* unused) {
  char byte;
  CHECK(read(ends[0], &byte, 1) == 1);
  sem_post(&work);
  pthread_mutex_lock(&mutex);
  ready = 1;
  pthread_cond_broadcast(&changed);
  pthread_mutex_unlock(&mutex);
  return unused;
}

static void* waits(void* unused) {
  pthread_mutex_lock(&mutex);
  while (!ready) pthread_cond_wait(&changed, &mutex);
  pthread_mutex_unlock(&mutex);
  return unused;
}

int main(void) {
  sem_init(&work, 0, 0);
  CHECK(pipe(ends) == 0);
  const pid_t child = fork();
  if (child == 0) {
    stand();
    _exit(write(ends[1], "x", 1) != 1);
  }
  const pthread_t one = start(reads, NULL), two = start(waits, NULL);
  sem_wait(&work);
  join(one);
  join(two);
  CHECK(waitpid(child, NULL, 0) == child);
  return 0;
}
