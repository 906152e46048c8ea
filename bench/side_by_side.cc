// The linked types beside their counterparts of the standard library and others, in one process
// and one run: every number is compared with one that was measured a moment before or after it.
//
//   side_by_side PAIRS [CASE]  lines of: case, variant, unit, value, and, but for the reference
//                             (the first variant of its case), the ratios of all pairs to it
//
// One more thread sleeps all the time, so that glibc's shortcut for one thread is off. Cases of one
// thread count processor time, the best of several short runs; those of several count the clock.
#include <pthread.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <deque>
#include <functional>
#include <mutex>
#include <semaphore>
#include <shared_mutex>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/synchronization/mutex.h"
#include "lockwarden/lockwarden.h"

namespace lockwarden::bench {
namespace {

struct AbslMutex {
  void lock() ABSL_NO_THREAD_SAFETY_ANALYSIS { mutex.Lock(); }
  void unlock() ABSL_NO_THREAD_SAFETY_ANALYSIS { mutex.Unlock(); }
  void lock_shared() ABSL_NO_THREAD_SAFETY_ANALYSIS { mutex.ReaderLock(); }
  void unlock_shared() ABSL_NO_THREAD_SAFETY_ANALYSIS { mutex.ReaderUnlock(); }
  absl::Mutex mutex;
};
// The mode is the process's: whoever measures the one or the other sets it before.
template <absl::OnDeadlockCycle kMode>
struct AbslMutexIn : AbslMutex {
  static void Prepare() { absl::SetMutexDeadlockDetectionMode(kMode); }
};
using AbslPlain = AbslMutexIn<absl::OnDeadlockCycle::kIgnore>;
using AbslDetecting = AbslMutexIn<absl::OnDeadlockCycle::kReport>;

struct Spin {
  Spin() { pthread_spin_init(&lock_, PTHREAD_PROCESS_PRIVATE); }
  void lock() ABSL_NO_THREAD_SAFETY_ANALYSIS { pthread_spin_lock(&lock_); }
  void unlock() ABSL_NO_THREAD_SAFETY_ANALYSIS { pthread_spin_unlock(&lock_); }

 private:
  pthread_spinlock_t lock_;
};

template <class L>
void Prepare() {
  if constexpr (requires { L::Prepare(); }) L::Prepare();
}

double Now(clockid_t clock) {
  timespec at;
  clock_gettime(clock, &at);
  return static_cast<double>(at.tv_sec) * 1e9 + static_cast<double>(at.tv_nsec);
}

// Nanoseconds of an iteration of `step` in this thread: the best of a few short runs.
template <class Step>
double Best(Step step) {
  constexpr int kRuns = 8, kIterations = 10000;
  double best = 1e18;
  for (int run = 0; run < kRuns; ++run) {
    const double begin = Now(CLOCK_THREAD_CPUTIME_ID);
    for (int i = 0; i < kIterations; ++i) step();
    best = std::min(best, (Now(CLOCK_THREAD_CPUTIME_ID) - begin) / kIterations);
  }
  return best;
}

template <class L>
double Pair() {
  static L lock;
  Prepare<L>();
  return Best([] {
    lock.lock();
    lock.unlock();
  });
}
template <class L>
double NestedPairs() {
  static L outer, inner;
  Prepare<L>();
  return Best([] {
    outer.lock();
    inner.lock();
    inner.unlock();
    outer.unlock();
  });
}
template <class L>
double ReadPair() {
  static L lock;
  Prepare<L>();
  return Best([] {
    lock.lock_shared();
    lock.unlock_shared();
  });
}
template <class S>
double UnitPair() {
  static S semaphore(1);
  return Best([] {
    semaphore.acquire();
    semaphore.release();
  });
}

double ScopedLockOfThree() {
  static std::mutex a, b, c;
  return Best([] { const std::scoped_lock hold(a, b, c); });
}
double AcquireThree() {
  static Lock a, b, c;
  return Best([] { const auto held = acquire(a, b, c); });
}

// Runs body(thread) in so many threads that begin together; nanoseconds by the clock.
double Together(int threads, const std::function<void(int)>& body) {
  std::atomic<int> ready{0};
  std::atomic<bool> go{false};
  std::vector<std::thread> all;
  for (int thread = 0; thread < threads; ++thread) {
    all.emplace_back([&, thread] {
      ++ready;
      go.wait(false);
      body(thread);
    });
  }
  while (ready < threads) std::this_thread::yield();
  const double begin = Now(CLOCK_MONOTONIC);
  go = true;
  go.notify_all();
  for (std::thread& thread : all) thread.join();
  return Now(CLOCK_MONOTONIC) - begin;
}

double longest_wait = 0;  // of the last contended run

// A counter behind one lock, and a little work of one's own in between.
template <class L, int kThreads>
double Contended() {
  static L lock;
  static int64_t counter;
  Prepare<L>();
  constexpr int kPairs = 400000 / kThreads;
  std::vector<double> longest(kThreads);
  const double took = Together(kThreads, [&](int thread) {
    double most = 0;
    for (int i = 0; i < kPairs; ++i) {
      const double asked = Now(CLOCK_MONOTONIC);
      lock.lock();
      most = std::max(most, Now(CLOCK_MONOTONIC) - asked);
      ++counter;
      lock.unlock();
    }
    longest[static_cast<size_t>(thread)] = most;
  });
  longest_wait = *std::max_element(longest.begin(), longest.end());
  return took / (kPairs * kThreads);
}

template <class L, int kThreads>
double ReadersTogether() {
  static L lock;
  Prepare<L>();
  constexpr int kPairs = 50000;
  return Together(kThreads,
                  [](int) {
                    for (int i = 0; i < kPairs; ++i) {
                      lock.lock_shared();
                      lock.unlock_shared();
                    }
                  }) /
         (kPairs * kThreads);
}

template <class L, class C>
double TakeTurns() {
  static L lock;
  static C changed;
  static int turn;
  turn = 0;
  constexpr int kTurns = 3000;
  return Together(2,
                  [](int me) {
                    for (int i = 0; i < kTurns; ++i) {
                      std::unique_lock hold(lock);
                      changed.wait(hold, [me] { return turn % 2 == me; });
                      ++turn;
                      changed.notify_one();
                    }
                  }) /
         (2 * kTurns);
}

// What one writes without a queue at hand.
class StdQueue {
 public:
  explicit StdQueue(size_t capacity) : capacity_(capacity) {}
  bool push(int item) {
    std::unique_lock hold(lock_);
    emptied_.wait(hold, [this] { return items_.size() < capacity_; });
    items_.push_back(item);
    hold.unlock();
    filled_.notify_one();
    return true;
  }
  int pop() {
    std::unique_lock hold(lock_);
    filled_.wait(hold, [this] { return !items_.empty(); });
    const int item = items_.front();
    items_.pop_front();
    hold.unlock();
    emptied_.notify_one();
    return item;
  }

 private:
  const size_t capacity_;
  std::mutex lock_;
  std::condition_variable filled_, emptied_;
  std::deque<int> items_;
};

template <class Q>
double PushAndPop() {
  static Q queue(64);
  return Best([] {
    queue.push(1);
    queue.pop();
  });
}
template <class Q>
double QueueBetweenTwo() {
  static Q queue(64);
  constexpr int kItems = 20000;
  return Together(2,
                  [](int me) {
                    for (int i = 0; i < kItems; ++i) {
                      if (me == 0) {
                        queue.push(i);
                      } else {
                        queue.pop();
                      }
                    }
                  }) /
         kItems;
}

struct Variant {
  const char* name;
  double (*measure)();
};
struct Case {
  std::string name;
  std::vector<Variant> variants;  // the first is what the others are compared with
  bool waits = false;             // sets longest_wait
};

#define LOCKWARDEN_LOCKS(measure, ...)                                                  \
  {"std::mutex", measure<std::mutex __VA_ARGS__>}, {"Lock", measure<Lock __VA_ARGS__>}, \
      {"absl::Mutex", measure<AbslPlain __VA_ARGS__>}, {                                \
    "absl::Mutex, detecting", measure<AbslDetecting __VA_ARGS__>                        \
  }
// More threads than processors spin for whole time slices: only where there are two.
#define LOCKWARDEN_SPIN(measure, ...) \
  { "pthread_spin_lock", measure<Spin __VA_ARGS__> }
#define LOCKWARDEN_READ_LOCKS(measure, ...)                        \
  {                                                                \
    {"std::shared_mutex", measure<std::shared_mutex __VA_ARGS__>}, \
        {"SharedLock", measure<SharedLock __VA_ARGS__>}, {         \
      "absl::Mutex", measure<AbslPlain __VA_ARGS__>                \
    }                                                              \
  }
#define LOCKWARDEN_COMMA ,

std::vector<Case> Cases() {
  using Std = std::counting_semaphore<>;
  return {
      {"pair", {LOCKWARDEN_LOCKS(Pair), LOCKWARDEN_SPIN(Pair)}},
      {"two nested pairs", {LOCKWARDEN_LOCKS(NestedPairs), LOCKWARDEN_SPIN(NestedPairs)}},
      {"contended by 2",
       {LOCKWARDEN_LOCKS(Contended, LOCKWARDEN_COMMA 2),
        LOCKWARDEN_SPIN(Contended, LOCKWARDEN_COMMA 2)},
       true},
      {"contended by 8", {LOCKWARDEN_LOCKS(Contended, LOCKWARDEN_COMMA 8)}, true},
      {"contended by 64", {LOCKWARDEN_LOCKS(Contended, LOCKWARDEN_COMMA 64)}, true},
      {"read pair", LOCKWARDEN_READ_LOCKS(ReadPair)},
      {"2 readers", LOCKWARDEN_READ_LOCKS(ReadersTogether, LOCKWARDEN_COMMA 2)},
      {"8 readers", LOCKWARDEN_READ_LOCKS(ReadersTogether, LOCKWARDEN_COMMA 8)},
      {"three at once", {{"std::scoped_lock", ScopedLockOfThree}, {"acquire", AcquireThree}}},
      {"semaphore",
       {{"std::counting_semaphore", UnitPair<Std>}, {"Semaphore", UnitPair<Semaphore>}}},
      {"condition, in turn",
       {{"std::condition_variable", TakeTurns<std::mutex, std::condition_variable>},
        {"Condition", TakeTurns<Lock, Condition>}}},
      {"queue, alone",
       {{"std::deque, std::mutex", PushAndPop<StdQueue>}, {"Queue", PushAndPop<Queue<int>>}}},
      {"queue, between two",
       {{"std::deque, std::mutex", QueueBetweenTwo<StdQueue>},
        {"Queue", QueueBetweenTwo<Queue<int>>}}},
  };
}

double Median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

void Print(const Case& each, const Variant& variant, const char* unit, double value,
           const std::vector<double>& ratios) {
  std::printf("%s\t%s\t%s\t%.1f", each.name.c_str(), variant.name, unit, value);
  for (const double ratio : ratios) std::printf("\t%.3f", ratio);
  std::putchar('\n');
}

// In each pair the reference and the variant take turns in who goes first.
void Compare(const Case& each, size_t pairs) {
  for (const Variant& variant : each.variants) {
    const bool reference = &variant == &each.variants[0];
    std::vector<double> ns[2], waits[2], ratios, wait_ratios;
    for (size_t pair = 0; pair < pairs; ++pair) {
      for (const size_t turn : {pair % 2, 1 - pair % 2}) {
        if (reference && turn == 1) continue;
        ns[turn].push_back((turn == 0 ? each.variants[0] : variant).measure());
        waits[turn].push_back(longest_wait / 1000);
      }
      if (reference) continue;
      ratios.push_back(ns[1].back() / ns[0].back());
      wait_ratios.push_back(waits[1].back() / waits[0].back());
    }
    Print(each, variant, "ns", Median(ns[reference ? 0 : 1]), ratios);
    if (each.waits) Print(each, variant, "us", Median(waits[reference ? 0 : 1]), wait_ratios);
  }
}

}  // namespace
}  // namespace lockwarden::bench

int main(int argc, char** argv) {
  using namespace lockwarden::bench;
  const size_t pairs = argc > 1 ? std::strtoul(argv[1], nullptr, 10) : 7;
  const std::string only = argc > 2 ? argv[2] : "";
  if (pairs == 0) return 64;
  std::thread([] {
    while (true) pause();
  }).detach();
  const std::pair<const char*, size_t> sizes[] = {{"std::mutex", sizeof(std::mutex)},
                                                  {"Lock", sizeof(lockwarden::Lock)},
                                                  {"absl::Mutex", sizeof(absl::Mutex)},
                                                  {"std::shared_mutex", sizeof(std::shared_mutex)},
                                                  {"SharedLock", sizeof(lockwarden::SharedLock)}};
  for (const auto& [name, size] : sizes) std::printf("sizeof\t%s\tbytes\t%zu\n", name, size);
  for (const Case& each : Cases()) {
    if (each.name.find(only) != std::string::npos) Compare(each, pairs);
  }
  std::fflush(stdout);
  std::_Exit(0);  // the idle thread has no end
}
