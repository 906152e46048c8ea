// What it costs to look at a large process, and to answer a scrape of it: 10,000 threads that
// hold and wait for locks of 100,000 classes.
//
//   Look    the side thread, every 0.1 s or so: who holds and waits
//   Count   the same, with the counts of all locks: once a second
//   Scrape  the page of metrics, from what was seen; "bytes" is its size
//   Status  the JSON of the status page, likewise
#include <benchmark/benchmark.h>
#include <sys/mman.h>

#include <cstdlib>
#include <cstring>
#include <memory>
#include <string>

#include "exporter/live_model.h"
#include "exporter/pages.h"
#include "exporter/status_json.h"
#include "runtime/ledger.h"
#include "watchdog/snapshot.h"

namespace lockwarden {
namespace {

constexpr uint32_t kThreads = 10'000, kClasses = 100'000;

// A ledger as the recorder would have left it; never unmapped.
std::shared_ptr<const LedgerReader> MakeLargeLedger() {
  const ledger::Capacities capacities;
  const uint64_t size = ledger::Ledger::SizeFor(capacities);
  void* base = mmap(nullptr, size, PROT_READ | PROT_WRITE,
                    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (base == MAP_FAILED) std::abort();
  ledger::Ledger::Format(base, capacities);
  const ledger::Ledger ledger(base);
  for (uint32_t i = 0; i < kClasses; ++i) {
    auto& record =
        ledger.Table<ledger::LockRecord>(ledger::kLocks)[ledger.Allocate(ledger::kLocks)];
    record.address = 0x10000 + uint64_t{i} * 64;
    record.generation = 1;
    record.kind_and_flags = static_cast<uint32_t>(ledger::LockKind::kMutex);
    record.lock_class = ledger.Allocate(ledger::kClasses) + 1;
    auto& site = ledger.Table<ledger::LockClassRecord>(ledger::kClasses)[record.lock_class - 1];
    site.totals.exclusive = i;
    site.totals.wait_ns = i;
    site.site = 0x400000 + uint64_t{i} * 16;
    // As long as a name usually is.
    const std::string name = "Component::Function" + std::to_string(i) + " file.cc:123";
    site.name = ledger.Allocate(ledger::kNames, static_cast<uint32_t>(name.size()) + 1);
    std::memcpy(ledger.Table<char>(ledger::kNames) + site.name, name.c_str(), name.size() + 1);
  }
  for (uint32_t i = 0; i < kThreads; ++i) {
    auto& record =
        ledger.Table<ledger::ThreadRecord>(ledger::kThreads)[ledger.Allocate(ledger::kThreads)];
    record.tid = i + 1;
    record.serial = i + 1;
    record.state = static_cast<uint32_t>(ledger::ThreadState::kLive);
    record.held[0].lock = ledger::Pack(i, 1, static_cast<uint8_t>(ledger::Mode::kExclusive));
    record.frame0.held_count = 1;
    record.frame0.wait.wait =
        ledger::Pack((i + 1) % kThreads, 1, static_cast<uint8_t>(ledger::Mode::kExclusive));
    for (uint32_t slot = 0; slot < 16; ++slot) {
      record.lock_cache[slot].lock = ledger::Pack(i * 8 + slot, 1, 0);
      record.lock_cache[slot].lock_class = i * 8 + slot + 1;
      record.lock_cache[slot].exclusive = 1;
    }
  }
  auto reader = LedgerReader::FromMemory(base, size);
  if (!reader.ok()) std::abort();
  return *std::move(reader);
}

class Large {
 public:
  Large() : ledgers_{{1, true, MakeLargeLedger()}} { Look(1000); }
  void Look(uint64_t after_ms) {
    now_ns_ += after_ms * 1'000'000;
    model_.Look(ledgers_, {}, {now_ns_, static_cast<double>(now_ns_) / 1e9});
  }
  std::shared_ptr<const LiveView> View() const { return model_.View(); }

 private:
  const std::vector<ServedLedger> ledgers_;
  uint64_t now_ns_ = 1;
  LiveModel model_;
};

Large& TheLarge() {
  static Large large;
  return large;
}

void Look(benchmark::State& state) {
  TheLarge().Look(1000);  // with the counts, so that the next ones go without
  for (auto _ : state) TheLarge().Look(1);
}
BENCHMARK(Look)->Unit(benchmark::kMillisecond)->Iterations(20);

void Count(benchmark::State& state) {
  for (auto _ : state) TheLarge().Look(1000);
}
BENCHMARK(Count)->Unit(benchmark::kMillisecond)->Iterations(10);

void Scrape(benchmark::State& state) {
  const MetricsView watch;
  const auto live = TheLarge().View();
  size_t bytes = 0;
  for (auto _ : state) bytes = MetricsText({watch, *live}).size();
  state.counters["bytes"] = static_cast<double>(bytes);
}
BENCHMARK(Scrape)->Unit(benchmark::kMillisecond);

void Status(benchmark::State& state) {
  const MetricsView watch;
  const auto live = TheLarge().View();
  size_t bytes = 0;
  for (auto _ : state) bytes = StatusJson({watch, *live}).size();
  state.counters["bytes"] = static_cast<double>(bytes);
}
BENCHMARK(Status)->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace lockwarden

BENCHMARK_MAIN();
