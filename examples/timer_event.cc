// A timer that wakes many waiters with an Event: one event a tick.
//
// Shows: Event, a flag that stays up. Whoever comes late goes through at once, so nothing has to be
// counted and there is no lock; and a wait with a limit, for the thread that must not be late
// itself. timer_condition.cc does it with a Condition. Try
//   lockwarden run -- build/bin/timer_event [TICKS]
#include <lockwarden/lockwarden.h>

#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <thread>
#include <vector>

using namespace std::chrono_literals;

int main(int argc, char** argv) {
  const size_t ticks = argc > 1 ? std::strtoul(argv[1], nullptr, 10) : 20;
  std::vector<lockwarden::Event> tick(ticks);
  lockwarden::Event all_done("all done");
  constexpr size_t kWaiters = 8;
  std::atomic<size_t> wakes{0};
  {
    std::vector<std::jthread> waiters;
    for (size_t i = 0; i < kWaiters; ++i) {
      waiters.emplace_back([&] {
        for (lockwarden::Event& each : tick) {
          each.wait();
          if (++wakes == kWaiters * ticks) all_done.set();
        }
      });
    }
    for (lockwarden::Event& each : tick) {
      std::this_thread::sleep_for(5ms);
      each.set();
    }
    while (!all_done.wait_for(1s)) std::puts("somebody is still asleep");
  }
  std::printf("%zu wake-ups\n", wakes.load());
}
