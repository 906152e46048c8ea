// expect: nothing
// While one thread waits in vfork for its child, the others wait for that thread.
#include "../corpus.h"

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static sem_t done;
static pthread_barrier_t both;

static void* spawns(void* unused) {
  pthread_mutex_lock(&mutex);
  pthread_barrier_wait(&both);
  const pid_t child = vfork();
  if (child == 0) {
    execl("/bin/sleep", "sleep", "0.7", (char*)NULL);
    _exit(127);
  }
  CHECK(waitpid(child, NULL, 0) == child);
  pthread_mutex_unlock(&mutex);
  sem_post(&done);
  return unused;
}

int main(void) {
  both = barrier_of(2);
  sem_init(&done, 0, 0);
  const pthread_t thread = start(spawns, NULL);
  pthread_barrier_wait(&both);
  pthread_mutex_lock(&mutex);
  pthread_mutex_unlock(&mutex);
  sem_wait(&done);
  join(thread);
  return 0;
}
