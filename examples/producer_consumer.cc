// Two producers and three consumers around a Queue with eight places.
//
// Shows: Queue. push() waits while it is full, pop() while it is empty; close() lets the consumers
// take what is left and then go home. producer_consumer_condition.cc does the same by hand. Try
//   lockwarden run -- build/bin/producer_consumer [ITEMS]
#include <lockwarden/lockwarden.h>

#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <optional>
#include <thread>
#include <vector>

int main(int argc, char** argv) {
  const int items = argc > 1 ? std::atoi(argv[1]) : 10000;  // of each producer
  lockwarden::Queue<int> queue(8, "goods");
  std::atomic<long> count{0}, sum{0};
  {
    std::vector<std::jthread> consumers;
    for (int i = 0; i < 3; ++i) {
      consumers.emplace_back([&] {
        while (const std::optional<int> item = queue.pop()) {
          ++count;
          sum += *item;
        }
      });
    }
    {
      std::vector<std::jthread> producers;
      for (int i = 0; i < 2; ++i) {
        producers.emplace_back([&] {
          for (int item = 1; item <= items; ++item) queue.push(item);
        });
      }
    }  // both have gone: nothing more will come
    queue.close();
  }
  std::printf("%ld items, sum %ld\n", count.load(), sum.load());
}
