// expect: deadlock
// A ring of three threads over a std::mutex, a std::recursive_mutex and a std::shared_mutex.
#include <mutex>
#include <shared_mutex>
#include <thread>

#include "../corpus.h"

static std::mutex a;
static std::recursive_mutex b;
static std::shared_mutex c;
static pthread_barrier_t all;

template <class Mine, class Other>
static void cross(Mine& mine, Other& other) {
  const std::lock_guard<Mine> held(mine);
  pthread_barrier_wait(&all);
  const std::lock_guard<Other> wanted(other);
}

int main() {
  all = barrier_of(3);
  std::thread one([] { cross(a, b); });
  std::thread two([] { cross(b, c); });
  std::thread three([] { cross(c, a); });
  one.join();
  two.join();
  three.join();
}
