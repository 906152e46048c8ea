// Three threads print A, B and C in turn: ABCABCABC...
//
// Shows: Condition, and the one right way to wait, with a predicate that is looked at under the
// lock. All three wait on one condition, so whoever has printed wakes all: only one of them finds
// that it is its turn. Try
//   lockwarden run -- build/bin/print_abc [ROUNDS]
#include <lockwarden/lockwarden.h>

#include <cstdio>
#include <cstdlib>
#include <mutex>
#include <thread>

namespace {

lockwarden::Lock lock("turn");
lockwarden::Condition changed("the next turn");
int turn = 0;  // guarded by lock; how many letters have been printed

void Print(int mine, int rounds) {
  for (int round = 0; round < rounds; ++round) {
    std::unique_lock hold(lock);
    changed.wait(hold, [&] { return turn % 3 == mine; });
    std::putchar('A' + mine);
    ++turn;
    changed.notify_all();
  }
}

}  // namespace

int main(int argc, char** argv) {
  const int rounds = argc > 1 ? std::atoi(argv[1]) : 10;
  { std::jthread a(Print, 0, rounds), b(Print, 1, rounds), c(Print, 2, rounds); }
  std::putchar('\n');
}
