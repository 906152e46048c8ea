// Two threads take turns by handing a unit to and fro: what one acquires the other has released.
//
// Shows: Semaphore as a signal, not as a lock. Nobody "holds" a unit that somebody else gives back,
// and Lockwarden notices that and names no holder. Try
//   lockwarden run -- build/bin/hand_over [ROUNDS]
#include <lockwarden/lockwarden.h>

#include <cstdio>
#include <cstdlib>
#include <thread>

int main(int argc, char** argv) {
  const int rounds = argc > 1 ? std::atoi(argv[1]) : 1000;
  lockwarden::Semaphore ping(1, "ping"), pong(0, "pong");
  long ball = 0;  // guarded by whoever has the unit
  {
    std::jthread here([&] {
      for (int round = 0; round < rounds; ++round) {
        ping.acquire();
        ++ball;
        pong.release();
      }
    });
    std::jthread there([&] {
      for (int round = 0; round < rounds; ++round) {
        pong.acquire();
        ++ball;
        ping.release();
      }
    });
  }
  std::printf("the ball went over the net %ld times\n", ball);
}
