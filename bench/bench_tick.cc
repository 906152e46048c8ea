// What a look of the watchdog costs at a given size: a ledger of real capacity, written in this
// process's memory as the recorder would, and the judge on it, with the kernel faked (a healthy
// program is never asked about).
//
//   bench_tick THREADS LOCKS CLASSES EDGES
//
// One thread in a hundred runs; of the others, which hold two locks each, half wait for a
// condition and half for a mutex of one that runs. Edges agree with one order of all locks that
// the graph must find out, since they come in any; every tenth is from one of ten outermost
// locks. Prints milliseconds of processor time, since what else runs on the machine costs a
// look its turn and not its time, and bytes, as JSON.
#include <malloc.h>
#include <time.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <numeric>
#include <random>
#include <vector>

#include "tests/watchdog/fake_kernel.h"
#include "tests/watchdog/ledger_builder.h"
#include "watchdog/joint_detector.h"
#include "watchdog/judge.h"

namespace lockwarden {
namespace {

using ledger::LockKind;
using ledger::Mode;
using ledger::PackedRef;

constexpr uint64_t kTickNs = 100'000'000;
constexpr uint32_t kNewEdges = 10'000;
constexpr int kTicks = 21;

struct Size {
  uint32_t threads, locks, classes, edges;
};

PackedRef With(PackedRef lock, Mode mode) {
  return ledger::WithMode(lock, static_cast<uint8_t>(mode));
}

uint64_t HeapBytes() {
  const struct mallinfo2 heap = mallinfo2();
  return heap.uordblks + heap.hblkhd;
}

double ProcessorMs() {
  timespec now{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) * 1e3 + static_cast<double>(now.tv_nsec) / 1e6;
}

class Program {
 public:
  explicit Program(const Size& size) : size_(size), random_(7) {
    for (uint32_t i = 0; i < size.locks; ++i) {
      locks_.push_back(
          book.AddLock(LockKind::kMutex, 0x10000 + uint64_t{i} * 64, ledger::kInitSeen));
      book.lock(locks_.back()).lock_class = 1 + i % size.classes;
    }
    const PackedRef condition = book.AddLock(LockKind::kCondition, 0x1000, ledger::kInitSeen);
    rank_.resize(size.locks);
    std::iota(rank_.begin(), rank_.end(), 0u);
    std::shuffle(rank_.begin(), rank_.end(), random_);
    const uint32_t running = std::max(1u, size.threads / 100);
    for (uint32_t i = 0; i < size.threads; ++i) {
      const uint32_t thread = book.AddThread(1000 + i, "worker");
      const auto mine = [&](uint32_t n) { return locks_[(2 * i + n) % size.locks]; };
      book.Hold(thread, With(mine(0), Mode::kExclusive), 0x4010);
      book.Hold(thread, With(mine(1), Mode::kExclusive), 0x4020);
      if (i < running) continue;
      if (i % 2 == 0) {
        book.BeginWait(thread, With(condition, Mode::kSignal), 0x1000, 0x4030,
                       With(mine(1), Mode::kExclusive));
      } else {
        const PackedRef wanted = locks_[2 * (i % running) % size.locks];
        book.BeginWait(thread, With(wanted, Mode::kExclusive), book.lock(wanted).address, 0x4040);
      }
    }
    AddEdges(size.edges);
  }

  void AddEdges(uint32_t count) {
    for (uint32_t i = 0; i < count; ++i) {
      uint32_t a = static_cast<uint32_t>(random_() % size_.locks);
      uint32_t b = static_cast<uint32_t>(random_() % size_.locks);
      if (i % 10 == 0) a %= 10;
      if (a > b) std::swap(a, b);
      if (a == b) continue;
      ledger::OrderWitness witness;
      witness.thread_serial = 1 + i % size_.threads;
      witness.from_mode = witness.to_mode = static_cast<uint8_t>(Mode::kExclusive);
      witness.from_site = 0x5000 + a % size_.classes;
      witness.to_site = 0x5000 + b % size_.classes;
      book.AddEdge(locks_[rank_[a]], locks_[rank_[b]], {witness});
    }
  }

  LedgerBuilder book{/*shift=*/0};

 private:
  const Size size_;
  std::mt19937 random_;
  std::vector<PackedRef> locks_;
  std::vector<uint32_t> rank_;  // of the outermost lock first, its index
};

class Watchdog {
 public:
  explicit Watchdog(const Program& program)
      : reader_(program.book.Reader()),
        judge_(reader_.get(), &kernel_, &resolver_, 100, JudgeOptions{}),
        joint_(MakeProcFileLockView(), JudgeOptions().confirm_after_ns) {}

  // Milliseconds of one look.
  double Tick() {
    now_ns_ += kTickNs;
    const double begin = ProcessorMs();
    findings += judge_.Step(now_ns_).size();
    findings += joint_.Look({judge_.Lend()}, now_ns_).size();
    return ProcessorMs() - begin;
  }
  size_t findings = 0;

 private:
  FakeKernelView kernel_;
  FakeResolver resolver_;
  std::unique_ptr<LedgerReader> reader_;
  ProcessJudge judge_;
  JointDetector joint_;
  uint64_t now_ns_ = kTickNs;
};

int Measure(const Size& size) {
  Program program(size);
  const uint64_t heap_before = HeapBytes();
  Watchdog watchdog(program);
  const double first = watchdog.Tick();
  double longest_loading = 0;
  for (int i = 0; i < 400; ++i) longest_loading = std::max(longest_loading, watchdog.Tick());
  std::vector<double> quiet, busy;
  for (int i = 0; i < kTicks; ++i) quiet.push_back(watchdog.Tick());
  for (int i = 0; i < 4; ++i) {
    program.AddEdges(kNewEdges);
    busy.push_back(watchdog.Tick());
    for (int j = 0; j < 20; ++j) watchdog.Tick();
  }
  std::sort(quiet.begin(), quiet.end());
  std::sort(busy.begin(), busy.end());
  std::printf(
      "{\"threads\": %u, \"locks\": %u, \"classes\": %u, \"edges\": %u, \"first_ms\": %.3f, "
      "\"loading_ms\": %.3f, \"quiet_ms\": %.3f, \"quiet_longest_ms\": %.3f, "
      "\"new_edges_ms\": %.3f, \"new_edges_longest_ms\": %.3f, \"heap_bytes\": %llu, "
      "\"findings\": %zu}\n",
      size.threads, size.locks, size.classes, size.edges, first, longest_loading,
      quiet[quiet.size() / 2], quiet.back(), busy[busy.size() / 2], busy.back(),
      static_cast<unsigned long long>(HeapBytes() - heap_before), watchdog.findings);
  return 0;
}

}  // namespace
}  // namespace lockwarden

int main(int argc, char** argv) {
  if (argc != 5) {
    std::fprintf(stderr, "usage: %s THREADS LOCKS CLASSES EDGES\n", argv[0]);
    return 64;
  }
  const auto number = [&](int i) {
    return static_cast<uint32_t>(std::strtoul(argv[i], nullptr, 10));
  };
  const lockwarden::Size size{number(1), number(2), number(3), number(4)};
  if (size.threads == 0 || size.locks < 10 || size.classes == 0) return 64;
  return lockwarden::Measure(size);
}
