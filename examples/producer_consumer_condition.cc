// What a bounded queue is made of: a Lock, and one Condition for each thing that is waited for.
//
// Shows: Condition with a std::unique_lock. Consumers wait until it is not empty, producers until
// it is not full; each tells the other side, after the lock was released, so that who wakes finds
// it free. producer_consumer.cc uses the ready-made Queue. Try
//   lockwarden run -- build/bin/producer_consumer_condition [ITEMS]
#include <lockwarden/lockwarden.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <mutex>
#include <thread>

namespace {

class Buffer {
 public:
  void Put(int item) {
    std::unique_lock hold(lock_);
    not_full_.wait(hold, [this] { return count_ < kPlaces; });
    items_[(first_ + count_++) % kPlaces] = item;
    hold.unlock();
    not_empty_.notify_one();
  }

  int Take() {
    std::unique_lock hold(lock_);
    not_empty_.wait(hold, [this] { return count_ > 0; });
    const int item = items_[first_];
    first_ = (first_ + 1) % kPlaces;
    --count_;
    hold.unlock();
    not_full_.notify_one();
    return item;
  }

 private:
  static constexpr size_t kPlaces = 8;
  lockwarden::Lock lock_{"buffer"};  // guards what follows
  lockwarden::Condition not_empty_{"an item"}, not_full_{"a free place"};
  std::array<int, kPlaces> items_;
  size_t first_ = 0, count_ = 0;
};

constexpr int kEnd = -1;  // no item has this value: the consumer that takes it stops

}  // namespace

int main(int argc, char** argv) {
  const int items = argc > 1 ? std::atoi(argv[1]) : 10000;
  Buffer buffer;
  long sum = 0;
  {
    std::jthread consumer([&] {
      for (int item = buffer.Take(); item != kEnd; item = buffer.Take()) sum += item;
    });
    std::jthread producer([&] {
      for (int item = 1; item <= items; ++item) buffer.Put(item);
      buffer.Put(kEnd);
    });
  }
  std::printf("%d items, sum %ld\n", items, sum);
}
