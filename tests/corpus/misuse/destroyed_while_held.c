// expect: misuse destroy_held, destroy_held, destroy_held, destroy_held
// Destroyed while another thread holds it, a mutex, a reader's and a writer's lock; and a
// mutex by the very thread that holds it.
#include "../corpus.h"

static pthread_mutex_t mutex, own;
static pthread_rwlock_t read_lock, written;
static pthread_barrier_t both;

static void* holds(void* unused) {
  pthread_mutex_lock(&mutex);
  pthread_rwlock_rdlock(&read_lock);
  pthread_rwlock_wrlock(&written);
  pthread_barrier_wait(&both);
  pthread_barrier_wait(&both);
  return unused;
}

// A finding is told by functions, not by lines.
static void destroy_mutex(void) { CHECK(pthread_mutex_destroy(&mutex) == EBUSY); }
static void destroy_read(void) { CHECK(pthread_rwlock_destroy(&read_lock) == 0); }
static void destroy_written(void) { CHECK(pthread_rwlock_destroy(&written) == 0); }
static void destroy_own(void) { CHECK(pthread_mutex_destroy(&own) == EBUSY); }

int main(void) {
  pthread_mutex_init(&mutex, NULL);
  pthread_mutex_init(&own, NULL);
  pthread_rwlock_init(&read_lock, NULL);
  pthread_rwlock_init(&written, NULL);
  both = barrier_of(2);
  const pthread_t thread = start(holds, NULL);
  pthread_barrier_wait(&both);
  destroy_mutex();
  destroy_read();
  destroy_written();
  pthread_mutex_lock(&own);
  destroy_own();
  pthread_mutex_unlock(&own);
  // Not left locked at the end, which is another misuse.
  pthread_mutex_init(&mutex, NULL);
  pthread_barrier_wait(&both);
  join(thread);
  return 0;
}
