// A linked service's exporter: a thread that judges this process's ledger, and the same boards,
// collector and pages as the supervisor's.
#include "lockwarden/exporter.h"

#include <time.h>
#include <unistd.h>

#include <system_error>
#include <thread>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/time/clock.h"
#include "exporter/live_collector.h"
#include "exporter/metric_table.h"
#include "watchdog/own_threads.h"
#include "watchdog/own_ledger.h"
#include "exporter/page_server.h"
#include "exporter/quiet_signals.h"
#include "watchdog/finding_desk.h"
#include "watchdog/judge.h"
#include "watchdog/ledger_totals.h"
#include "watchdog/mutex.h"
#include "watchdog/process_facts.h"
#include "watchdog/symbolizer.h"

namespace lockwarden {
namespace {

constexpr absl::Duration kTick = absl::Milliseconds(100);

// Asked only for findings, so brought up to date each time.
class OwnResolver : public StackResolver {
 public:
  explicit OwnResolver(const LedgerReader* reader) : reader_(reader) {}
  StackTrace Resolve(const std::vector<uint64_t>& pcs) override {
    symbolizer_.Update(reader_->Modules(), getpid());
    return symbolizer_.Resolve(pcs);
  }

 private:
  const LedgerReader* const reader_;
  Symbolizer symbolizer_;
};

// Looks for deadlocks, and says nothing: reports are the supervisor's.
class OwnWatch {
 public:
  OwnWatch(MetricsBoard* board, LedgerBoard* ledgers)
      : board_(board), ledgers_(ledgers), pid_(getpid()) {
    const BlockAllSignals block;
    try {
      thread_ = std::thread([this] { Run(); });
    } catch (const std::system_error&) {
      // No thread to be had: the page stays empty.
    }
  }
  ~OwnWatch() {
    if (getpid() != pid_) {  // a forked child: the thread is the parent's
      if (thread_.joinable()) thread_.detach();
      return;
    }
    {
      MutexLock lock(&mutex_);
      stop_ = true;
      mutex_.Notify();
    }
    if (thread_.joinable()) thread_.join();
  }

 private:
  struct Judging {
    explicit Judging(std::shared_ptr<LedgerReader> own)
        : reader(std::move(own)),
          kernel(MakeProcKernelView(getpid())),
          resolver(reader.get()),
          judge(reader.get(), kernel.get(), &resolver, getpid(), {}) {}
    const std::shared_ptr<LedgerReader> reader;
    const std::unique_ptr<KernelView> kernel;
    OwnResolver resolver;
    ProcessJudge judge;
  };

  void Run() {
    BeginOwnThread("lockwarden-own");
    const Options options;
    auto nowhere = ReportSink::File("/dev/null");
    if (!nowhere.ok()) return;
    FindingDesk desk(options, nullptr, &*nowhere, &*nowhere);
    std::unique_ptr<Judging> judging;
    uint64_t checks = 0;
    for (;;) {
      const uint64_t begin_ns = NowNs();
      if (judging == nullptr) {
        if (std::shared_ptr<LedgerReader> reader = FindOwnLedger(); reader != nullptr) {
          ledgers_->Publish({{getpid(), true, reader}});
          judging = std::make_unique<Judging>(std::move(reader));
        }
      }
      if (judging != nullptr) {
        for (Finding& finding : judging->judge.Step(begin_ns)) {
          desk.Take(&finding, judging->reader.get());
        }
      }
      Publish(judging.get(), desk, ++checks, static_cast<double>(NowNs() - begin_ns) / 1e9);
      MutexLock lock(&mutex_);
      mutex_.WaitFor(stop_, kTick);
      if (stop_) return;
    }
  }

  void Publish(const Judging* judging, const FindingDesk& desk, uint64_t checks, double took) {
    MetricsView view;
    LedgerTotals totals;
    desk.CopyTo(&view);
    if (judging != nullptr) {
      const Snapshot& snapshot = judging->judge.last_snapshot();
      const JudgeState& state = judging->judge.state();
      totals.Add(snapshot);
      const std::string& path = snapshot.process.program;
      view.program = path.substr(path.rfind('/') + 1);
      view.threads = snapshot.threads.size();
      view.locks_tracked = snapshot.locks_tracked;
      view.lock_classes = snapshot.lock_classes;
      view.order_edges = snapshot.order_edges;
      view.order_cycles = state.order_cycles;
      view.deadlocked_threads = state.deadlocked_threads;
      view.deadlock_cycles = state.deadlock_cycles;
      view.interposer_active = snapshot.stepped_aside.empty();
      view.processes = view.processes_seen = 1;
      for (const TableUse& table : snapshot.tables) {
        view.ledger_capacity[table.name] = table.capacity;
        view.ledger_used[table.name] = table.used;
      }
    }
    totals.CopyTo(&view);
    view.program_running = true;
    view.watchdog_checks = checks;
    view.watchdog_check_seconds = took;
    view.overhead_seconds = OwnCpuSeconds();
    view.watchdog_last_check_timestamp_seconds =
        absl::ToDoubleSeconds(absl::Now() - absl::UnixEpoch());
    view.snapshot_timestamp_seconds = view.watchdog_last_check_timestamp_seconds;
    board_->Publish(std::move(view));
  }

  // Of this thread, which does the judging.
  static double OwnCpuSeconds() {
    timespec used;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &used);
    return static_cast<double>(used.tv_sec) + static_cast<double>(used.tv_nsec) / 1e9;
  }
  static uint64_t NowNs() {
    timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return static_cast<uint64_t>(now.tv_sec) * 1'000'000'000 + static_cast<uint64_t>(now.tv_nsec);
  }

  MetricsBoard* const board_;
  LedgerBoard* const ledgers_;
  const pid_t pid_;
  Mutex mutex_;
  bool stop_ ABSL_GUARDED_BY(mutex_) = false;
  std::thread thread_;
};

// What the service's own registry calls: it holds a mutex meanwhile, so nothing may wait.
class OwnCollectable : public prometheus::Collectable {
 public:
  explicit OwnCollectable(std::weak_ptr<PageServer> server) : server_(std::move(server)) {}
  std::vector<prometheus::MetricFamily> Collect() const override {
    const std::shared_ptr<PageServer> server = server_.lock();
    if (server == nullptr) return {};
    const auto watch = server->LatestWatch();
    const auto live = server->LatestLive();
    std::vector<prometheus::MetricFamily> families = Families({*watch, *live});
    // The service has its own process_* families; the same one twice fails the scrape.
    std::erase_if(families, [](const prometheus::MetricFamily& family) {
      return family.name.rfind("process_", 0) == 0;
    });
    return families;
  }

 private:
  const std::weak_ptr<PageServer> server_;
};

}  // namespace

class Exporter::Impl {
 public:
  Impl() : server(std::make_shared<PageServer>(&board, &ledgers)), watch(&board, &ledgers) {}

  MetricsBoard board;
  LedgerBoard ledgers;
  std::shared_ptr<PageServer> server;
  OwnWatch watch;
};

absl::StatusOr<std::unique_ptr<Exporter>> Exporter::Start(const Options& options) {
  auto impl = std::make_unique<Impl>();
  if (!options.credentials.empty()) impl->server->Protect(options.credentials);
  impl->server->StartLooking();
  impl->server->StartLocal();
  if (!options.address.empty()) {
    if (const absl::Status status = impl->server->Start(options.address); !status.ok()) {
      return status;
    }
  }
  return std::unique_ptr<Exporter>(new Exporter(std::move(impl)));
}

Exporter::Exporter(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Exporter::~Exporter() = default;
int Exporter::port() const { return impl_->server->port(); }
std::shared_ptr<prometheus::Collectable> Exporter::collectable() const {
  return std::make_shared<OwnCollectable>(impl_->server);
}

}  // namespace lockwarden
