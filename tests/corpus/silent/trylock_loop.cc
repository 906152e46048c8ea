// expect: no deadlock
// Two threads spin on try_lock for what the other holds, until one gives way.
#include <atomic>
#include <mutex>
#include <thread>

#include "../corpus.h"

static std::mutex a, b;
static std::atomic<bool> give_way{false};
static pthread_barrier_t both;

static void cross(std::mutex& mine, std::mutex& other, bool yields) {
  std::unique_lock<std::mutex> held(mine);
  pthread_barrier_wait(&both);
  while (!other.try_lock()) {
    if (yields && give_way) return;
    std::this_thread::yield();
  }
  other.unlock();
}

int main() {
  both = barrier_of(2);
  std::thread one(cross, std::ref(a), std::ref(b), true);
  std::thread two(cross, std::ref(b), std::ref(a), false);
  stand();
  give_way = true;
  one.join();
  two.join();
}
