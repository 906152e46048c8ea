// expect: nothing
// main returns while a thread still holds what the destructors of static objects destroy.
#include <thread>

#include "../corpus.h"

struct Guarded {
  pthread_mutex_t mutex;
  pthread_rwlock_t rwlock;
  Guarded() {
    pthread_mutex_init(&mutex, nullptr);
    pthread_rwlock_init(&rwlock, nullptr);
  }
  ~Guarded() {
    pthread_mutex_destroy(&mutex);
    pthread_rwlock_destroy(&rwlock);
  }
};
static Guarded guarded;
static pthread_barrier_t both;

int main() {
  both = barrier_of(2);
  std::thread([] {
    pthread_mutex_lock(&guarded.mutex);
    pthread_rwlock_rdlock(&guarded.rwlock);
    pthread_barrier_wait(&both);
    for (;;) pause();
  }).detach();
  pthread_barrier_wait(&both);
}
