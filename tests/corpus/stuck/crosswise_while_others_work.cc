// expect: deadlock
// Two of twenty threads lock crosswise, on the heap, while the others never stop to work;
// and a signal handler, a timer and a cancellation have been used before.
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "../corpus.h"

static pthread_barrier_t both;
static sem_t never;

static void nothing(int number) { (void)number; }
static void* sleeps(void* unused) { return sem_wait(&never), unused; }

int main() {
  signal(SIGALRM, nothing);
  signal(SIGTERM, nothing);
  sem_init(&never, 0, 0);
  const pthread_t cancelled = start(sleeps, nullptr);
  pthread_cancel(cancelled);
  pthread_join(cancelled, nullptr);
  std::vector<std::unique_ptr<std::mutex>> locks;
  for (int i = 0; i < 20; ++i) locks.push_back(std::make_unique<std::mutex>());
  both = barrier_of(2);
  std::vector<std::thread> threads;
  for (int i = 2; i < 20; ++i) {
    threads.emplace_back([&, i] {
      for (;;) {
        const std::lock_guard<std::mutex> held(*locks[i]);
        nap(1);
      }
    });
  }
  const auto cross = [&](int mine, int other) {
    const std::lock_guard<std::mutex> held(*locks[mine]);
    pthread_barrier_wait(&both);
    const std::lock_guard<std::mutex> wanted(*locks[other]);
  };
  threads.emplace_back([&] { cross(0, 1); });
  threads.emplace_back([&] { cross(1, 0); });
  for (std::thread& thread : threads) thread.join();
}
