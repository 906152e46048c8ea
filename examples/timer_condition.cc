// A timer that wakes many waiters, tick after tick, with a Condition.
//
// Shows: notify_all(), and why the thing that is waited for is counted: a waiter that was slow
// finds that the tick has gone by, instead of missing the notification and sleeping for ever.
// timer_event.cc does it with an Event. Try
//   lockwarden run -- build/bin/timer_condition [TICKS]
#include <lockwarden/lockwarden.h>

#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <mutex>
#include <thread>
#include <vector>

using namespace std::chrono_literals;

namespace {

class Timer {
 public:
  void Tick() {
    {
      const std::scoped_lock hold(lock_);
      ++ticks_;
    }
    ticked_.notify_all();
  }

  // Waits for a tick after `seen`; returns the number of the newest.
  int WaitAfter(int seen) {
    std::unique_lock hold(lock_);
    ticked_.wait(hold, [&] { return ticks_ > seen; });
    return ticks_;
  }

 private:
  lockwarden::Lock lock_{"timer"};
  lockwarden::Condition ticked_{"tick"};
  int ticks_ = 0;  // guarded by lock_
};

}  // namespace

int main(int argc, char** argv) {
  const int ticks = argc > 1 ? std::atoi(argv[1]) : 20;
  Timer timer;
  std::atomic<int> arrived{0};
  {
    std::vector<std::jthread> waiters;
    for (int i = 0; i < 8; ++i) {
      waiters.emplace_back([&] {
        for (int seen = 0; seen < ticks;) seen = timer.WaitAfter(seen);
        ++arrived;
      });
    }
    for (int tick = 0; tick < ticks; ++tick) {
      std::this_thread::sleep_for(5ms);
      timer.Tick();
    }
  }
  std::printf("%d waiters saw tick %d\n", arrived.load(), ticks);
}
