// Supervisor: runs PROGRAM, watches every process that registers a ledger, reports and
// acts, restarts, and decides what to answer. One thread, one loop.
//
//   registrations ─▶ WatchedProcess ─▶ findings ─▶ FindingDesk (report, incident)
//        │                 │                            │
//        └── a tick each 100 ms, or when a judge asks   └─▶ on_deadlock
//   SIGCHLD ─▶ RestartPolicy ─▶ start again, or DecideExit
//
// Not thread-safe; the exporter's threads see only MetricsBoard. Must never: take PROGRAM
// down with it. If the supervisor dies, PROGRAM goes on.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "watchdog/child.h"
#include "watchdog/clock_trust.h"
#include "watchdog/core_dumps.h"
#include "watchdog/exit_status.h"
#include "watchdog/finding_desk.h"
#include "watchdog/heartbeat_totals.h"
#include "watchdog/incident_hook.h"
#include "watchdog/joint_detector.h"
#include "watchdog/journal.h"
#include "watchdog/ledger_totals.h"
#include "watchdog/metrics_server.h"
#include "watchdog/options.h"
#include "watchdog/registrar.h"
#include "watchdog/restart_policy.h"
#include "watchdog/service_manager.h"
#include "watchdog/signal_relay.h"
#include "watchdog/stop_policy.h"
#include "watchdog/watched_process.h"

namespace lockwarden {

using MetricsServerFactory = 
    std::function<std::unique_ptr<MetricsServer>(const MetricsBoard*, LedgerBoard*)>;

class Supervisor {
 public:
  struct Setup {
    Options options;
    std::vector<std::string> argv;
    std::vector<std::string> environment;  // PROGRAM's, complete
    const InheritedState* inherited = nullptr;
    Registrar* registrar = nullptr;
    FindingDesk* desk = nullptr;
    const OrderRules* rules = nullptr;  // null: none
    ServiceManager::Address service;
    std::vector<std::string> hook_environment;  // of on_incident's commands, and of gcore
    std::string journal_stream;  // JOURNAL_STREAM; empty: standard error is not the journal's
    MetricsServerFactory make_metrics_server;
    // Not null: no PROGRAM is started, argv names this one, which is taken from here; the loop
    // ends when it and whoever registers beside it have ended.
    Registration* attached = nullptr;
    std::function<void(const std::vector<int>& pids)> on_tick;  // of those that are watched
  };
  explicit Supervisor(Setup setup);
  ~Supervisor();

  // Binds the metrics port, if one is wanted; a taken one is retried by Run. Errors:
  // kInvalidArgument when the address makes no sense.
  absl::Status StartMetrics();
  // Until PROGRAM has ended for good, summary included.
  ExitStatus Run();

 private:
  static uint64_t NowNs();  // CLOCK_MONOTONIC
  enum class EndedByUs { kNo, kDeadlock, kStall };
  // What a ladder is climbed for.
  struct Hang {
    EndedByUs why = EndedByUs::kNo;
    uint32_t tid = 0;             // whom an abort is to hit; 0: any thread
    uint64_t first_delay_ns = 0;  // of a first step that names none
    std::string line;             // said before each step; empty: the report has said it
  };

  using Processes = std::map<int, std::unique_ptr<WatchedProcess>>;

  void StartProgram(uint64_t now_ns);  // or done_, with exit_, when it cannot be executed
  std::vector<int> Wait();  // until there is something to do; processes that have ended
  void TakeRegistrations(uint64_t now_ns);
  void Take(Registration registration, uint64_t now_ns);
  void AnswerTests(uint64_t now_ns);
  void TakeSignals(uint64_t now_ns);
  void Reap(uint64_t now_ns);
  // Whether it was a command or a gcore that the supervisor had started.
  bool ReapedOurs(pid_t pid, int status, uint64_t now_ns);
  void ProgramEnded(const ProgramEnd& end, uint64_t now_ns);
  void KeepHistory();
  void LookAtProcesses(uint64_t now_ns);
  void LookAcross(uint64_t now_ns);  // deadlocks of several processes, and of file locks
  // `crashed`: called once nothing more of it will be told.
  void Retire(Processes::iterator process, uint64_t now_ns,
              const std::function<void(WatchedProcess*)>& crashed = nullptr);
  void RetireEnded(uint64_t now_ns);
  void Handle(std::vector<Finding> findings, WatchedProcess* process, uint64_t now_ns);
  void HandleJoint(JointFinding joint, uint64_t now_ns);
  void Tell(Finding* finding, WatchedProcess* process);
  void Act(const Finding& finding, WatchedProcess* process, uint64_t now_ns);
  // Every step whose time has come.
  void ClimbOn(Climb* climb, const Hang& hang, WatchedProcess* process, uint64_t now_ns);
  void Dump(WatchedProcess* process, uint64_t now_ns);
  void TellCrash(WatchedProcess* process, const ProgramEnd& end, bool core_dumped, uint64_t now_ns);
  bool IsStuck() const;  // a deadlock was told of a process that still is there
  void StopNow(absl::string_view why);
  std::vector<EvidenceFile> Evidence(const Finding& finding, const char* kind);
  std::string Stacks(const WatchedProcess& process);  // of all threads; stops each for a moment
  // Whoever started a program that was attached may start it again: we cannot.
  DeadlockAction Possible(DeadlockAction action) const;
  std::string WhatFor(DeadlockAction action, const WatchedProcess& process) const;
  void LookAtClocks(uint64_t now_ns);
  void ActOnHangs(uint64_t now_ns);
  void ActOnStalls(WatchedProcess* process, uint64_t now_ns);
  // Aborts the process (thread `tid` of it; 0: any), or restarts PROGRAM.
  bool End(DeadlockAction action, EndedByUs why, WatchedProcess* process, uint32_t tid,
           uint64_t now_ns);
  void KillOverdue(uint64_t now_ns);
  void RetryMetrics(uint64_t now_ns);
  void Publish(uint64_t now_ns);  // if anybody looks
  MetricsView View(uint64_t now_ns) const;
  bool IsWell(uint64_t now_ns) const;  // no deadlock, and no stall that on_stall would act upon
  void TellServiceManager(uint64_t now_ns);
  bool IsProgram(int pid) const { return pid == program_ || pid == attached_; }
  ServedLedger Serve(const WatchedProcess& process) const;
  uint64_t NextDeadline() const;
  void AwaitHooks();  // and cores, to their end, or their time limit
  ExitStatus Leave(uint64_t now_ns);

  const Setup setup_;
  const Options& options_ = setup_.options;
  RestartPolicy policy_;
  SignalRelay signals_;
  UniqueFd epoll_;
  int unable_ = 0;  // errno: signals and registrations would not be heard

  pid_t program_ = 0;             // 0: not running
  pid_t attached_ = 0;            // in its place, and not our child
  EndedByUs ended_by_us_ = EndedByUs::kNo;  // this life of PROGRAM
  StopPolicy stop_;
  long long oom_kills_ = -1;  // in our control group, when PROGRAM was started
  bool done_ = false;
  ProgramEnd last_end_;
  bool budget_spent_ = false;
  std::optional<ExitStatus> exit_;  // decided otherwise than by how PROGRAM ended
  uint64_t restart_at_ns_ = 0;    // 0: no restart is due
  std::string restart_line_;
  std::map<std::string, uint64_t> restarts_;  // by reason

  Processes processes_;           // by pid: one image each
  JointDetector joint_;
  TestDesk tests_;
  uint64_t stepped_aside_seen_ = 0;  // of the registrar's count
  LedgerTotals past_;             // of images that have ended
  HeartbeatTotals past_heartbeats_;  // the same
  uint64_t processes_seen_ = 0;
  bool refusal_told_ = false;
  uint64_t next_tick_ns_ = 0;
  ClockTrust clocks_;
  ServiceManager service_;
  IncidentHook hook_;
  WatchCounts counts_;
  CoreDumps dumps_;
  Journal journal_;
  bool history_told_ = false;  // that it cannot be written
  uint64_t checks_ = 0;
  double check_seconds_ = 0;

  MetricsBoard board_;
  LedgerBoard ledgers_;
  std::unique_ptr<MetricsServer> metrics_;
  uint64_t metrics_retry_ns_ = 0;  // 0: none is due
  uint64_t metrics_bind_failures_ = 0;
};

}  // namespace lockwarden
