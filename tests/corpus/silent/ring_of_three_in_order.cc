// expect: nothing
// Three threads take three std::mutexes, each its own and the next one's; the last reaches for
// the first one's before its own.
#include <algorithm>
#include <mutex>
#include <thread>

#include "../corpus.h"

static std::mutex forks[3];

static void eat(int seat) {
  for (int turn = 0; turn < seat; ++turn) stand();
  const int other = (seat + 1) % 3;
  const std::lock_guard<std::mutex> lower(forks[std::min(seat, other)]);
  const std::lock_guard<std::mutex> higher(forks[std::max(seat, other)]);
}

int main() {
  std::thread one(eat, 0), two(eat, 1), three(eat, 2);
  one.join();
  two.join();
  three.join();
}
