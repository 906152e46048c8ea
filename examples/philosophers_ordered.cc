// Dining philosophers who cannot get stuck: each asks for both forks at once, and acquire() takes
// them in one order for everybody, whatever the order in which they were named.
//
// Shows: acquire(a, b), where philosophers.c takes left before right and hangs. Try
//   lockwarden run -- build/bin/philosophers_ordered [MEALS]
#include <lockwarden/lockwarden.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <thread>
#include <vector>

namespace {

constexpr size_t kSeats = 5;

std::array<lockwarden::Lock, kSeats> forks;
std::array<int, kSeats> eaten;  // each by its philosopher only

void Dine(size_t seat, int meals) {
  for (int meal = 0; meal < meals; ++meal) {
    // Held until `both` goes, as with a std::scoped_lock.
    const auto both = lockwarden::acquire(forks[seat], forks[(seat + 1) % kSeats]);
    ++eaten[seat];
  }
}

}  // namespace

int main(int argc, char** argv) {
  const int meals = argc > 1 ? std::atoi(argv[1]) : 10000;
  {
    std::vector<std::jthread> guests;
    for (size_t seat = 0; seat < kSeats; ++seat) guests.emplace_back(Dine, seat, meals);
  }
  int total = 0;
  for (const int each : eaten) total += each;
  std::printf("%d meals were eaten\n", total);
}
