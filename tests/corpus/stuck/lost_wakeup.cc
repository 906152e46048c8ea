// expect: deadlock
// notify_one comes before wait, and nobody looks at a flag: the wake-up is lost.
#include <condition_variable>
#include <mutex>
#include <thread>

#include "../corpus.h"

int main() {
  std::mutex mutex;
  std::condition_variable ready;
  ready.notify_one();
  std::thread waits([&] {
    std::unique_lock<std::mutex> lock(mutex);
    ready.wait(lock);
  });
  waits.join();
}
