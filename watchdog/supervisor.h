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
#include "watchdog/child.h"
#include "watchdog/clock_trust.h"
#include "watchdog/exit_status.h"
#include "watchdog/finding_desk.h"
#include "watchdog/heartbeat_totals.h"
#include "watchdog/incident_hook.h"
#include "watchdog/joint_detector.h"
#include "watchdog/ledger_totals.h"
#include "watchdog/metrics_server.h"
#include "watchdog/options.h"
#include "watchdog/registrar.h"
#include "watchdog/restart_policy.h"
#include "watchdog/service_manager.h"
#include "watchdog/signal_relay.h"
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
    std::vector<std::string> hook_environment;  // of on_incident's commands
    MetricsServerFactory make_metrics_server;
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

  using Processes = std::map<int, std::unique_ptr<WatchedProcess>>;

  void StartProgram(uint64_t now_ns);  // or done_, with exit_, when it cannot be executed
  std::vector<int> Wait();  // until there is something to do; processes that have ended
  void TakeRegistrations(uint64_t now_ns);
  void AnswerTests(uint64_t now_ns);
  void TakeSignals(uint64_t now_ns);
  void Reap(uint64_t now_ns);
  void ProgramEnded(const ProgramEnd& end, uint64_t now_ns);
  void LookAtProcesses(uint64_t now_ns);
  void LookAcross(uint64_t now_ns);  // deadlocks of several processes, and of file locks
  void Retire(Processes::iterator process, uint64_t now_ns);
  void RetireEnded(uint64_t now_ns);
  void Handle(std::vector<Finding> findings, WatchedProcess* process, uint64_t now_ns);
  void HandleJoint(JointFinding joint, uint64_t now_ns);
  // True: something was done to the process, or to PROGRAM.
  bool Act(const Finding& finding, WatchedProcess* process, uint64_t now_ns);
  std::string WhatFor(DeadlockAction action, const WatchedProcess& process) const;
  void LookAtClocks(uint64_t now_ns);
  void ActOnStalls(uint64_t now_ns);
  // Aborts the process (thread `tid` of it; 0: any), or restarts PROGRAM.
  bool End(DeadlockAction action, EndedByUs why, WatchedProcess* process, uint32_t tid,
           uint64_t now_ns);
  void KillOverdue(uint64_t now_ns);
  void RetryMetrics(uint64_t now_ns);
  void Publish(uint64_t now_ns);
  bool IsWell(uint64_t now_ns) const;  // no deadlock, and no stall that on_stall would act upon
  void TellServiceManager(uint64_t now_ns);
  ServedLedger Serve(const WatchedProcess& process) const;
  uint64_t NextDeadline() const;
  void AwaitHooks();  // to their end, or their time limit
  ExitStatus Leave(uint64_t now_ns);

  const Setup setup_;
  const Options& options_ = setup_.options;
  RestartPolicy policy_;
  SignalRelay signals_;
  UniqueFd epoll_;

  pid_t program_ = 0;             // 0: not running
  EndedByUs ended_by_us_ = EndedByUs::kNo;  // this life of PROGRAM
  bool asked_to_stop_ = false;
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
  uint64_t checks_ = 0;
  double check_seconds_ = 0;

  MetricsBoard board_;
  LedgerBoard ledgers_;
  std::unique_ptr<MetricsServer> metrics_;
  uint64_t metrics_retry_ns_ = 0;  // 0: none is due
  uint64_t metrics_bind_failures_ = 0;
};

}  // namespace lockwarden
