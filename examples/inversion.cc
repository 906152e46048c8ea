// A deadlock that has not happened yet: two long-lived threads take the same two locks
// in opposite order, and only luck keeps them apart.
//
// Linked with Lockwarden: swap std::mutex for lockwarden::Lock. The two threads hand a
// turn to and fro through a flag, so this run ends well, and every test would pass; the
// day somebody takes the turns away, it hangs. Try
//   lockwarden run -- build/bin/inversion
#include <lockwarden/lockwarden.h>

#include <atomic>
#include <cstdio>
#include <mutex>
#include <thread>

namespace {

lockwarden::Lock accounts("accounts");  // the names are for reports
lockwarden::Lock journal("journal");
int balance = 100;
int entries = 0;

constexpr int kRounds = 3;
std::atomic<int> turn{0};  // even: the teller's, odd: the auditor's

void WaitForTurn(int mine) {
  for (int now = turn.load(); now % 2 != mine; now = turn.load()) turn.wait(now);
}

void PassTurn() {
  turn.fetch_add(1);
  turn.notify_all();
}

void Book() {
  std::scoped_lock money(accounts);
  std::scoped_lock paper(journal);
  balance -= 1;
  entries += 1;
}

void Audit() {
  std::scoped_lock paper(journal);
  std::scoped_lock money(accounts);
  std::printf("%d left after %d entries\n", balance, entries);
}

void Teller() {
  for (int round = 0; round < kRounds; ++round) {
    WaitForTurn(0);
    Book();
    PassTurn();
  }
}

void Auditor() {
  for (int round = 0; round < kRounds; ++round) {
    WaitForTurn(1);
    Audit();
    PassTurn();
  }
}

}  // namespace

int main() {
  std::thread teller(Teller);
  std::thread auditor(Auditor);
  teller.join();
  auditor.join();
  std::puts("the books are closed");
}
