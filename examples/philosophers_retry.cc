// Dining philosophers who do hang, and are helped out: the last to reach for the fork to the right
// closes the circle, and gets an error instead of the fork. It puts back the one to the left, the
// others eat, and then it tries again.
//
// Shows: DeadlockError, where philosophers.c waits for ever and philosophers_ordered.cc cannot get
// there. In the test profile Lockwarden still tells that the order is a risk. Try
//   lockwarden run --profile=production -- build/bin/philosophers_retry
#include <lockwarden/lockwarden.h>

#include <array>
#include <atomic>
#include <cstdio>
#include <mutex>
#include <thread>
#include <vector>

namespace {

constexpr size_t kSeats = 3;

std::array<lockwarden::Lock, kSeats> forks;
lockwarden::Barrier grace(kSeats, {}, "grace");
std::atomic<int> eaten{0}, victims{0};

void Eat(size_t seat, bool says_grace) {
  const std::scoped_lock left(forks[seat]);
  if (says_grace) grace.wait();  // now each fork is in somebody's left hand
  const std::scoped_lock right(forks[(seat + 1) % kSeats]);
  ++eaten;
}

void Dine(size_t seat) {
  try {
    Eat(seat, /*says_grace=*/true);
  } catch (const lockwarden::DeadlockError&) {
    ++victims;
    for (bool hungry = true; hungry;) {
      try {
        Eat(seat, /*says_grace=*/false);
        hungry = false;
      } catch (const lockwarden::DeadlockError&) {
        std::this_thread::yield();
      }
    }
  }
}

}  // namespace

int main() {
  lockwarden::set_deadlock_policy(lockwarden::DeadlockPolicy::kThrow);
  {
    std::vector<std::jthread> guests;
    for (size_t seat = 0; seat < kSeats; ++seat) guests.emplace_back(Dine, seat);
  }
  std::printf("%d ate, %s\n", eaten.load(), victims > 0 ? "one of them later" : "nobody waited");
}
