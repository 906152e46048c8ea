// Three unrelated pairs of mutexes, each taken in both orders, all through one guard:
//
//   wrapped PAIRS ENDING
//
// PAIRS is how many of the three, as text in which each letter names one: "a", "ab", "abc".
// ENDING: exit, _exit, abort, segv or kill. Built once more with SHIFTED, which moves every
// function and every line, as a rebuild does. Not optimised: the guard and what it calls are
// functions of their own, so that every lock of the program is taken by one call.
#include <atomic>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <mutex>
#include <thread>

#include <unistd.h>

#ifdef SHIFTED
int Shift(int n) {
  for (int i = 0; i < 10; ++i) n = n * 31 + i;

  return n;
}
#endif

class Guard {
 public:
  explicit Guard(std::mutex& mutex) : guard_(mutex) {}

 private:
  const std::lock_guard<std::mutex> guard_;
};

std::mutex a, b, c, d, e, f;
std::atomic<bool> first_is_done;

void Take(std::mutex& outer, std::mutex& inner) {
  const Guard outer_taken(outer);
  const Guard inner_taken(inner);
}

void Deposit() { Take(a, b); }
void Withdraw() { Take(b, a); }
void Publish() { Take(c, d); }
void Retract() { Take(d, c); }
void Open() { Take(e, f); }
void Close() { Take(f, e); }

// Both threads run at once; that one is faster is luck.
void Run(void (*one)(), void (*other)()) {
  first_is_done = false;
  std::thread first([=] {
    one();
    first_is_done = true;
  });
  std::thread second([=] {
    while (!first_is_done) std::this_thread::yield();
    other();
  });
  first.join();
  second.join();
}

int main(int argc, char** argv) {
  if (argc != 3) return 2;
#ifdef SHIFTED
  if (Shift(argc) == 0) return 2;
#endif
  if (std::strchr(argv[1], 'a') != nullptr) Run(Deposit, Withdraw);
  if (std::strchr(argv[1], 'b') != nullptr) Run(Publish, Retract);
  if (std::strchr(argv[1], 'c') != nullptr) Run(Open, Close);
  if (std::strcmp(argv[2], "_exit") == 0) _exit(0);
  if (std::strcmp(argv[2], "abort") == 0) std::abort();
  if (std::strcmp(argv[2], "segv") == 0) std::raise(SIGSEGV);
  if (std::strcmp(argv[2], "kill") == 0) std::raise(SIGKILL);
  return 0;
}
