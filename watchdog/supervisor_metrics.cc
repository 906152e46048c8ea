// What metrics show, and the port they are shown on.
#include <time.h>

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "watchdog/stacks_text.h"
#include "watchdog/stall_policy.h"
#include "watchdog/supervisor.h"

namespace lockwarden {
namespace {

constexpr uint64_t kMetricsRetryNs = 5'000'000'000;

double RealtimeSeconds() {
  timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) / 1e9;
}

double OwnCpuSeconds() {
  timespec used;
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
  return static_cast<double>(used.tv_sec) + static_cast<double>(used.tv_nsec) / 1e9;
}

}  // namespace

absl::Status Supervisor::StartMetrics() {
  if (!setup_.make_metrics_server) return absl::OkStatus();
  const uint64_t now_ns = NowNs();
  Publish(now_ns);
  metrics_ = setup_.make_metrics_server(&board_, &ledgers_);
  if (!options_.metrics_credentials.empty()) metrics_->Protect(options_.metrics_credentials);
  if (!options_.textfile.empty()) {
    if (absl::Status kept = metrics_->KeepTextfile(options_.textfile); !kept.ok()) return kept;
  }
  metrics_->StartLocal();
  if (options_.metrics.empty()) return absl::OkStatus();
  const absl::Status status = metrics_->Start(options_.metrics);
  if (absl::IsInvalidArgument(status)) return status;
  if (!status.ok()) {
    ++metrics_bind_failures_;
    setup_.desk->Notice(absl::StrCat("cannot serve metrics yet: ", status.message(),
                                     "; trying again every 5s"));
    metrics_retry_ns_ = now_ns + kMetricsRetryNs;
  } else if (options_.metrics.ends_with(":0")) {
    setup_.desk->Notice(absl::StrCat("metrics are served on port ", metrics_->port()));
  }
  return absl::OkStatus();
}

void Supervisor::RetryMetrics(uint64_t now_ns) {
  if (metrics_retry_ns_ == 0 || now_ns < metrics_retry_ns_) return;
  metrics_retry_ns_ = 0;
  if (metrics_->Start(options_.metrics).ok()) {
    setup_.desk->Notice(absl::StrCat("metrics are served on ", options_.metrics, " now"));
  } else {
    ++metrics_bind_failures_;
    metrics_retry_ns_ = now_ns + kMetricsRetryNs;
  }
}

ServedLedger Supervisor::Serve(const WatchedProcess& process) const {
  return {process.pid(), IsProgram(process.pid()), process.shared_reader()};
}

void Supervisor::Publish(uint64_t now_ns) {
  if (metrics_ != nullptr && !metrics_->IsWatched()) return;
  std::vector<ServedLedger> ledgers;
  for (const auto& [pid, process] : processes_) ledgers.push_back(Serve(*process));
  ledgers_.Publish(std::move(ledgers));
  board_.Publish(View(now_ns));
}

std::vector<EvidenceFile> Supervisor::Evidence(const Finding& finding, const char* kind) {
  std::vector<EvidenceFile> files;
  const auto process = processes_.find(static_cast<int>(finding.pid));
  // A program that goes on well is not stopped for its threads' stacks.
  const bool hangs = kind == absl::string_view("stall") || kind == absl::string_view("deadlock") ||
                     kind == absl::string_view("self_deadlock");
  if (hangs && process != processes_.end() && !process->second->HasEnded()) {
    files.push_back({"stacks.txt", Stacks(*process->second)});
  }
  if (metrics_ == nullptr) return files;
  board_.Publish(View(NowNs()));
  files.push_back({"metrics.prom", metrics_->Text()});
  return files;
}

std::string Supervisor::Stacks(const WatchedProcess& process) {
  const uint64_t begin_ns = NowNs();
  const JudgedProcess lent = process.Lend();
  const ProcessStacks stacks =
      StacksOfAllThreads(process.pid(), StackLimits(), process.resolver());
  const bool all = std::all_of(stacks.threads.begin(), stacks.threads.end(),
                               [](const ThreadStack& thread) { return thread.why.empty(); });
  const char* result = stacks.threads.empty() ? "failed" : all ? "ok" : "partial";
  ++counts_.dumps[absl::StrCat("ptrace,", result)];
  counts_.dump_seconds = static_cast<double>(NowNs() - begin_ns) / 1e9;
  return StacksText(lent, stacks);
}

MetricsView Supervisor::View(uint64_t now_ns) const {
  MetricsView view;
  LedgerTotals totals = past_;
  HeartbeatTotals heartbeats = past_heartbeats_;
  const double realtime_seconds = RealtimeSeconds();
  for (const auto& [pid, process] : processes_) {
    const Snapshot& snapshot = process->snapshot();
    totals.Add(snapshot);
    heartbeats.Add(snapshot, process->judge().stalls(), NowNs(), realtime_seconds);
    view.threads += snapshot.threads.size();
    view.locks_tracked += snapshot.locks_tracked;
    view.lock_classes += snapshot.lock_classes;
    view.order_edges += snapshot.order_edges;
    view.stalled |= StallToActOn(process->judge().stalls().now(), options_, now_ns) != nullptr;
    const JudgeState& state = process->judge().state();
    view.order_cycles += state.order_cycles;
    view.deadlocked_threads += state.deadlocked_threads;
    view.deadlock_cycles += state.deadlock_cycles;
    if (!IsProgram(pid)) continue;
    view.interposer_active = snapshot.stepped_aside.empty();
    for (const TableUse& table : snapshot.tables) {
      view.ledger_capacity[table.name] = table.capacity;
      view.ledger_used[table.name] = table.used;
    }
  }
  view.deadlocked_threads += joint_.deadlocked_threads();
  view.deadlock_cycles += joint_.deadlocks_now();
  totals.CopyTo(&view);
  heartbeats.CopyTo(&view);
  for (const auto& [cause, count] : clocks_.jumps()) view.clock_jumps[cause] = count;
  view.counts = counts_;
  setup_.desk->CopyTo(&view);
  view.overhead_seconds = OwnCpuSeconds();
  view.hooks = hook_.results();
  view.processes_seen = processes_seen_;
  view.processes = processes_.size();
  for (const char* reason : {"deadlock", "stall", "crash", "exit"}) view.restarts[reason] = 0;
  for (const auto& [reason, count] : restarts_) view.restarts[reason] = count;
  view.restart_budget_remaining = policy_.Remaining(now_ns);
  view.watchdog_checks = checks_;
  view.watchdog_check_seconds = check_seconds_;
  view.watchdog_last_check_timestamp_seconds = realtime_seconds;
  view.snapshot_timestamp_seconds = view.watchdog_last_check_timestamp_seconds;
  view.program_running = program_ != 0 || setup_.attached != nullptr;
  view.refused_registrations = setup_.registrar->refused();
  const std::string& path = setup_.argv[0];
  view.program = path.substr(path.rfind('/') + 1);
  view.metrics_bind_failures = metrics_bind_failures_;
  return view;
}

}  // namespace lockwarden
