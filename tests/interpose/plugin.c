// A library that locks, waits and starts a thread while it is being loaded and unloaded:
// with the loader's lock held. Preloaded, it does so before the program's own constructors.
#include <pthread.h>
#include <semaphore.h>

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static sem_t started;
static int answer;

static void* Start(void* unused) {
  pthread_mutex_lock(&mutex);
  ++answer;
  pthread_mutex_unlock(&mutex);
  sem_post(&started);
  return unused;
}

__attribute__((constructor)) static void Load(void) {
  pthread_t thread;
  sem_init(&started, 0, 0);
  pthread_create(&thread, NULL, Start, NULL);
  sem_wait(&started);
  pthread_join(thread, NULL);
}

__attribute__((destructor)) static void Unload(void) {
  pthread_mutex_lock(&mutex);
  pthread_mutex_unlock(&mutex);
  sem_destroy(&started);
}

int PluginAnswer(void) {
  pthread_mutex_lock(&mutex);
  const int now = answer;
  pthread_mutex_unlock(&mutex);
  return now;
}
