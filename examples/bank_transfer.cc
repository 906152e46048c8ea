// A bank whose clerks move money between any two accounts and lock them in the order in which they
// come. Sooner or later two clerks wait for each other, and that is not the end: the one that would
// have closed the circle is told so instead, lets go, and tries again.
//
// Shows: DeadlockPolicy::kThrow and DeadlockError. (Where the locks can be named together,
// acquire(from.lock, to.lock) needs none of this.) In the test profile Lockwarden still tells that
// the order is a risk; in production it has nothing to tell. Try
//   lockwarden run --profile=production -- build/bin/bank_transfer [TRANSFERS]
#include <lockwarden/lockwarden.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <mutex>
#include <thread>
#include <vector>

namespace {

struct Account {
  lockwarden::Lock lock{"account"};
  long balance = 1000;  // guarded by lock
};

constexpr size_t kAccounts = 5, kClerks = 4;
std::array<Account, kAccounts> accounts;

void Transfer(Account& from, Account& to, long amount) {
  const std::scoped_lock first(from.lock);
  const std::scoped_lock second(to.lock);  // if this throws, `first` is released on the way out
  from.balance -= amount;
  to.balance += amount;
}

void TransferInTheEnd(Account& from, Account& to, long amount) {
  for (;;) {
    try {
      return Transfer(from, to, amount);
    } catch (const lockwarden::DeadlockError&) {
      std::this_thread::yield();  // the others go on now; then it is our turn
    }
  }
}

void Clerk(size_t number, long transfers) {
  for (long i = 0; i < transfers; ++i) {
    const size_t from = (static_cast<size_t>(i) * 7 + number) % kAccounts;
    const size_t to = (from + 1 + static_cast<size_t>(i) % (kAccounts - 1)) % kAccounts;
    TransferInTheEnd(accounts[from], accounts[to], 1);
  }
}

}  // namespace

int main(int argc, char** argv) {
  const long transfers = argc > 1 ? std::atol(argv[1]) : 1000000;
  lockwarden::set_deadlock_policy(lockwarden::DeadlockPolicy::kThrow);
  {
    std::vector<std::jthread> clerks;
    for (size_t number = 0; number < kClerks; ++number) {
      clerks.emplace_back(Clerk, number, transfers / long{kClerks});
    }
  }
  long total = 0;
  for (const Account& account : accounts) total += account.balance;
  std::printf("%ld transfers, and still %ld in the bank\n", transfers, total);
}
