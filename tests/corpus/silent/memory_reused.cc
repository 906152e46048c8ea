// expect: no deadlock
// Mutexes die without a word while they are held (an arena is reset), and new ones are
// built in the same place.
#include <cstring>
#include <mutex>
#include <new>
#include <thread>

#include "../corpus.h"

alignas(std::mutex) static char arena[2][sizeof(std::mutex)];
static pthread_barrier_t both;

static std::mutex* fresh(int i) { return new (arena[i]) std::mutex; }

int main() {
  both = barrier_of(2);
  // The first life: thread one holds both, and never releases them.
  std::mutex* a = fresh(0);
  std::mutex* b = fresh(1);
  std::thread one([&] {
    a->lock();
    b->lock();
    pthread_barrier_wait(&both);  // the arena is reset
    pthread_barrier_wait(&both);
    a->lock();  // the second life, held by nobody
    pthread_barrier_wait(&both);
    stand();
    pthread_barrier_wait(&both);
    a->unlock();
  });
  pthread_barrier_wait(&both);
  std::memset(arena, 0, sizeof arena);
  a = fresh(0);
  b = fresh(1);
  b->lock();
  pthread_barrier_wait(&both);
  pthread_barrier_wait(&both);
  std::thread waits([&] {
    a->lock();
    a->unlock();
  });
  pthread_barrier_wait(&both);
  waits.join();
  b->unlock();
  one.join();
}
