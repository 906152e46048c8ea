// expect: potential_deadlock
// Money goes both ways between two accounts, each locked in the order of the arguments.
#include <mutex>
#include <thread>

#include "../corpus.h"

struct Account {
  std::mutex mutex;
  int balance = 100;
};
static Account mine, yours;

static void pay(Account& from, Account& to, int amount) {
  const std::lock_guard<std::mutex> one(from.mutex);
  const std::lock_guard<std::mutex> other(to.mutex);
  from.balance -= amount;
  to.balance += amount;
}

int main() {
  std::thread one([] { pay(mine, yours, 5); });
  std::thread two([] {
    stand();
    pay(yours, mine, 7);
  });
  one.join();
  two.join();
}
