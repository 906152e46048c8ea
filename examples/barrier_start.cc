// Runners who start each heat together: nobody runs until the last has come to the line.
//
// Shows: Barrier with an action, which the last to come runs before anybody goes on, so that it
// may change what all of them read without a lock. Try
//   lockwarden run -- build/bin/barrier_start [HEATS]
#include <lockwarden/lockwarden.h>

#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <thread>
#include <vector>

int main(int argc, char** argv) {
  const int heats = argc > 1 ? std::atoi(argv[1]) : 3;
  constexpr int kRunners = 4;
  int heat = 0;  // written at the line only, by the barrier's action
  std::atomic<int> finished{0};
  lockwarden::Barrier line(
      kRunners, [&] { std::printf("heat %d: go\n", ++heat); }, "starting line");
  {
    std::vector<std::jthread> runners;
    for (int i = 0; i < kRunners; ++i) {
      runners.emplace_back([&] {
        for (int run = 1; run <= heats; ++run) {
          line.wait();
          if (heat == run) ++finished;  // all are in the same heat
        }
      });
    }
  }
  std::printf("%d runs were finished\n", finished.load());
}
