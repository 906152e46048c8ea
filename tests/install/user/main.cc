// Prints "done" if the installed library does what it should.
#include <cstdio>
#include <thread>

#include "bank.h"

int main() {
  Account one, two;
  constexpr int kRounds = 1000;
  std::thread up([&] {
    for (int i = 0; i < kRounds; ++i) Transfer(one, two, 1);
  });
  std::thread down([&] {
    for (int i = 0; i < kRounds; ++i) Transfer(two, one, 1);
  });
  up.join();
  down.join();
  one.lock.lock();
  const int balance = one.balance;
  one.lock.unlock();
  if (balance != 100 || !OrderIsKept()) return 1;
  std::puts("done");
  return 0;
}
