// The same handful of cases for every kind of lock, so that their costs can be compared
// line by line. One iteration is what the case's name says: a pair is lock and unlock.
//
// A case runs in one thread of a process that has one thread, or, with --idle_thread,
// two: glibc leaves out the bus lock while a process has one thread, so only the
// second says what a threaded program pays.
#pragma once

#include <benchmark/benchmark.h>
#include <unistd.h>

#include <array>
#include <cstdlib>
#include <cstring>
#include <thread>
#include <utility>
#include <vector>

namespace lockwarden::bench {

template <class L>
void Pair(benchmark::State& state) {
  static L lock;
  for (auto _ : state) {
    lock.lock();
    lock.unlock();
  }
}

template <class L>
void NestedPairs(benchmark::State& state) {
  static L outer, inner;
  for (auto _ : state) {
    outer.lock();
    inner.lock();
    inner.unlock();
    outer.unlock();
  }
}

// Each lock in turn: more of them than a cache of locks or a processor's cache holds.
template <class L>
void PairOverManyLocks(benchmark::State& state) {
  const size_t count = static_cast<size_t>(state.range(0));  // a power of two
  static std::vector<L>* const locks = new std::vector<L>(1 << 16);
  size_t next = 0;
  for (auto _ : state) {
    L& lock = (*locks)[next];
    next = (next + 1) & (count - 1);
    lock.lock();
    lock.unlock();
  }
}

// One lock, taken in many places: more of them than a cache of call sites holds.
template <class L, int kSite>
[[gnu::noinline]] void PairAtSite(L& lock) {
  lock.lock();
  // Keeps the functions apart: the same code twice is one call site after all.
  benchmark::DoNotOptimize(kSite);
  lock.unlock();
}

template <class L>
void PairAtManySites(benchmark::State& state) {
  constexpr int kSites = 128;  // a power of two
  static constexpr auto kFunctions = []<int... kSite>(std::integer_sequence<int, kSite...>) {
    return std::array<void (*)(L&), kSites>{&PairAtSite<L, kSite>...};
  }
  (std::make_integer_sequence<int, kSites>());
  static L lock;
  size_t next = 0;
  for (auto _ : state) {
    kFunctions[next](lock);
    next = (next + 1) & (kSites - 1);
  }
}

// Two threads, one lock, nothing in between: the worst case. Wall time per pair.
template <class L>
void ContendedPair(benchmark::State& state) {
  static L lock;
  for (auto _ : state) {
    lock.lock();
    lock.unlock();
  }
}

// Takes --idle_thread out of the arguments, registers the cases, and runs them with the
// arguments that are left, which are Google Benchmark's.
template <class L>
int RunCases(int argc, char** argv) {
  bool idle_thread = false;
  for (int i = 1; i < argc; ++i) {
    if (std::strcmp(argv[i], "--idle_thread") != 0) continue;
    idle_thread = true;
    std::memmove(argv + i, argv + i + 1, sizeof(*argv) * static_cast<size_t>(argc - i));
    --argc;
    break;
  }
  benchmark::RegisterBenchmark("pair", Pair<L>);
  benchmark::RegisterBenchmark("two nested pairs", NestedPairs<L>);
  benchmark::RegisterBenchmark("pair over N locks", PairOverManyLocks<L>)->Arg(64)->Arg(4096);
  benchmark::RegisterBenchmark("pair at 128 sites", PairAtManySites<L>);
  if (idle_thread) {
    benchmark::RegisterBenchmark("contended pair", ContendedPair<L>)->Threads(2)->UseRealTime();
  }
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 64;
  if (idle_thread)
    std::thread([] {
      while (true) pause();
    }).detach();
  benchmark::RunSpecifiedBenchmarks();
  std::_Exit(0);  // the idle thread has no end
}

}  // namespace lockwarden::bench
