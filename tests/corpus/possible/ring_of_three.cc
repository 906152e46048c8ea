// expect: potential_deadlock
// Three threads take three std::mutexes, each its own and the next one's, at different times.
#include <mutex>
#include <thread>

#include "../corpus.h"

static std::mutex forks[3];

static void eat(int seat) {
  for (int turn = 0; turn < seat; ++turn) stand();  // nothing but time keeps them apart
  const std::lock_guard<std::mutex> left(forks[seat]);
  const std::lock_guard<std::mutex> right(forks[(seat + 1) % 3]);
}

int main() {
  std::thread one(eat, 0), two(eat, 1), three(eat, 2);
  one.join();
  two.join();
  three.join();
}
