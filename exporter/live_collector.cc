// When to look; what to look at is LiveModel's.
#include "exporter/live_collector.h"

#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <random>
#include <system_error>

#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "exporter/live_model.h"
#include "watchdog/own_threads.h"
#include "exporter/quiet_signals.h"

namespace lockwarden {
namespace {

constexpr absl::Duration kBetweenLooks = absl::Milliseconds(100);  // on average
constexpr int kShareOfProcessor = 20;                              // one twentieth
// However much a look costs: the first one of a program loads its symbols.
constexpr absl::Duration kLongestPause = absl::Seconds(2);

absl::Duration CpuTime() {
  timespec used;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &used);
  return absl::DurationFromTimespec(used);
}

LiveModel::Clock ReadClocks() {
  timespec monotonic, realtime;
  clock_gettime(CLOCK_MONOTONIC, &monotonic);
  clock_gettime(CLOCK_REALTIME, &realtime);
  return {static_cast<uint64_t>(absl::ToInt64Nanoseconds(absl::DurationFromTimespec(monotonic))),
          static_cast<double>(realtime.tv_sec) + static_cast<double>(realtime.tv_nsec) / 1e9};
}

}  // namespace

LiveCollector::LiveCollector(LedgerBoard* ledgers,
                             std::function<void(const LiveView&)> after_each_look)
    : ledgers_(ledgers), after_each_look_(std::move(after_each_look)), pid_(getpid()) {
  ledgers_->TakesEnded();
  const BlockAllSignals block;
  try {
    thread_ = std::thread([this] { Run(); });
  } catch (const std::system_error&) {
    // No thread to be had: the supervisor's own numbers are served, and no classes.
  }
}

LiveCollector::~LiveCollector() {
  if (getpid() != pid_) {  // a forked child: the thread is the parent's
    if (thread_.joinable()) thread_.detach();
    return;
  }
  {
    MutexLock lock(&mutex_);
    stop_ = true;
  }
  mutex_.Notify();
  if (thread_.joinable()) thread_.join();
}

std::shared_ptr<const LiveView> LiveCollector::Latest() const {
  MutexLock lock(&mutex_);
  return view_;
}

void LiveCollector::Run() {
  BeginOwnThread("lockwarden-look");
  LiveModel model;
  std::minstd_rand random(std::random_device{}());
  std::uniform_real_distribution<double> factor(0.5, 1.5);
  for (;;) {
    const absl::Duration cpu_begin = CpuTime();
    model.Look(ledgers_->Live(), ledgers_->TakeEnded(), ReadClocks());
    std::shared_ptr<const LiveView> view = model.View();
    if (after_each_look_) after_each_look_(*view);
    MutexLock lock(&mutex_);
    view_.swap(view);
    const absl::Duration took = CpuTime() - cpu_begin;
    const absl::Duration pause =
        std::max(kBetweenLooks * factor(random), std::min(took * kShareOfProcessor, kLongestPause));
    mutex_.WaitFor(stop_, pause);
    if (stop_) return;
  }
}

}  // namespace lockwarden
