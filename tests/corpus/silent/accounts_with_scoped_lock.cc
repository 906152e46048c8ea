// expect: nothing
// Money goes both ways between two accounts, locked together by std::scoped_lock.
#include <mutex>
#include <thread>

#include "../corpus.h"

struct Account {
  std::mutex mutex;
  int balance = 100;
};
static Account mine, yours;

static void pay(Account& from, Account& to, int amount) {
  const std::scoped_lock both(from.mutex, to.mutex);
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
