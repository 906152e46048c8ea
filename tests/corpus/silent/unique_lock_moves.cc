// expect: nothing
// Guards are moved, swapped, adopted and released by hand within their thread; what is left
// is unlocked out of order.
#include <mutex>
#include <shared_mutex>
#include <thread>
#include <utility>
#include <vector>

#include "../corpus.h"

static std::mutex a, b;
static std::recursive_mutex again;
static std::shared_mutex shared;

static std::unique_lock<std::mutex> make(std::mutex& mutex) { return std::unique_lock(mutex); }

static void work() {
  for (int i = 0; i < 1000; ++i) {
    std::unique_lock<std::mutex> one = make(a), two = make(b);
    swap(one, two);
    std::vector<std::unique_lock<std::mutex>> kept;
    kept.push_back(std::move(one));
    two.unlock();
    two = std::move(kept[0]);
    std::mutex* bare = two.release();
    std::lock_guard<std::mutex> adopted(*bare, std::adopt_lock);
    const std::scoped_lock deeper(again), deepest(again);
    std::shared_lock first(shared), second = std::move(first);
  }
}

int main() {
  std::thread other(work);
  work();
  other.join();
}
