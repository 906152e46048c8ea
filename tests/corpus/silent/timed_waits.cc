// expect: no deadlock
// A cycle of std::timed_mutex and std::shared_timed_mutex, every wait with a limit.
#include <chrono>
#include <mutex>
#include <shared_mutex>
#include <thread>

#include "../corpus.h"

static std::timed_mutex a;
static std::shared_timed_mutex b;
static pthread_barrier_t both;

int main() {
  const auto limit = std::chrono::milliseconds(kStandMilliseconds);
  both = barrier_of(2);
  std::thread one([&] {
    std::unique_lock<std::timed_mutex> held(a);
    pthread_barrier_wait(&both);
    if (b.try_lock_for(limit)) b.unlock();
  });
  std::thread two([&] {
    std::unique_lock<std::shared_timed_mutex> held(b);
    pthread_barrier_wait(&both);
    if (a.try_lock_until(std::chrono::system_clock::now() + limit)) a.unlock();
  });
  one.join();
  two.join();
}
