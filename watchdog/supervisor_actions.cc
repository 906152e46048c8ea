// What follows a finding: the report, and what on_deadlock and on_stall say.
#include <time.h>

#include <cerrno>
#include <csignal>
#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"
#include "watchdog/process_facts.h"
#include "watchdog/process_tree.h"
#include "watchdog/stall_policy.h"
#include "watchdog/supervisor.h"

namespace lockwarden {
namespace {
constexpr uint64_t kAbortGraceNs = 5'000'000'000;
constexpr uint64_t kCoreFileNs = 120'000'000'000;  // a core file may take longer than the grace
}  // namespace

void Supervisor::Handle(std::vector<Finding> findings, WatchedProcess* process, uint64_t now_ns) {
  LedgerTotals totals;
  if (!findings.empty()) totals.Add(process->snapshot());
  std::erase_if(totals.dropped, [](const auto& drop) { return drop.second == 0; });
  for (Finding& finding : findings) {
    finding.dropped = totals.dropped;
    tests_.Name(&finding);
    setup_.desk->Take(&finding, process->reader());
    Act(finding, process, now_ns);
  }
}

void Supervisor::HandleJoint(JointFinding joint, uint64_t now_ns) {
  LedgerTotals totals;
  std::vector<WatchedProcess*> involved;
  for (int pid : joint.pids) {
    const auto process = processes_.find(pid);
    if (process == processes_.end()) continue;
    involved.push_back(process->second.get());
    totals.Add(process->second->snapshot());
  }
  std::erase_if(totals.dropped, [](const auto& drop) { return drop.second == 0; });
  joint.finding.dropped = totals.dropped;
  std::vector<OtherProcess> others;
  for (size_t i = 1; i < involved.size(); ++i) {
    others.push_back({static_cast<uint32_t>(involved[i]->pid()), involved[i]->reader()});
  }
  setup_.desk->Take(&joint.finding, involved.empty() ? nullptr : involved[0]->reader(), others);
  // Each of them is deadlocked. A restart is of PROGRAM, once, whoever they are; those that
  // have left its tree end with it.
  const bool restart = options_.on_deadlock == DeadlockAction::kRestart;
  bool restarted = false;
  for (WatchedProcess* process : involved) {
    if (restarted) process->Signal(SIGKILL);
    if (restart && process != involved[0]) continue;
    restarted = Act(joint.finding, process, now_ns) && restart;
  }
}

bool Supervisor::Act(const Finding& finding, WatchedProcess* process, uint64_t now_ns) {
  if (done_) return false;  // PROGRAM has ended, and with it our say over what it left behind
  const DeadlockAction action = options_.on_deadlock;
  if (action == DeadlockAction::kReport || action == DeadlockAction::kDump) return false;
  if (!ActsOn(finding.kind, Confidence::kProven, options_.profile)) return false;  // another kind
  if (process->HasEnded() || process->kill_at_ns != 0) return false;
  if (!ActsOn(finding.kind, finding.confidence, options_.profile)) {
    ++counts_.suppressed["confidence"];
    setup_.desk->Notice(absl::StrCat("did not ", WhatFor(action, *process),
                                     ": the deadlock is ", ConfidenceName(finding.confidence),
                                     ", and profile=", ProfileName(options_.profile),
                                     " wants better proof"));
    return false;
  }
  return End(action, EndedByUs::kDeadlock, process, 0, now_ns);
}

std::string Supervisor::WhatFor(DeadlockAction action, const WatchedProcess& process) const {
  return action == DeadlockAction::kAbort ? absl::StrCat("abort pid ", process.pid())
                                          : absl::StrCat("restart ", setup_.argv[0]);
}

bool Supervisor::End(DeadlockAction action, EndedByUs why, WatchedProcess* process, uint32_t tid,
                     uint64_t now_ns) {
  if (action == DeadlockAction::kRestart) {
    process->Signal(SIGKILL);  // it may have left PROGRAM's tree, as daemons do
    if (program_ == 0) return true;
    ended_by_us_ = why;
    KillProcessTree(program_);
    ++counts_.actions["restart,ok"];
    return true;
  }
  if (!(tid != 0 && process->SignalThread(tid, SIGABRT)) && !process->Signal(SIGABRT)) {
    if (errno != ESRCH) {
      ++counts_.actions["abort,failed"];
      setup_.desk->Notice(
          absl::StrCat("cannot ", WhatFor(action, *process), ": ", std::strerror(errno)));
    }
    return false;
  }
  if (process->pid() == program_) ended_by_us_ = why;
  ++counts_.actions["abort,ok"];
  process->kill_at_ns = now_ns + kAbortGraceNs;
  process->kill_latest_ns = now_ns + kCoreFileNs;
  return true;
}

void Supervisor::ActOnStalls(uint64_t now_ns) {
  const DeadlockAction action = options_.on_stall;
  if (done_ || action == DeadlockAction::kReport || action == DeadlockAction::kDump) return;
  for (auto& [pid, process] : processes_) {
    if (process->HasEnded() || process->kill_at_ns != 0) continue;
    const std::vector<Stall> stalls = process->judge().stalls().now();
    const Stall* stall = StallToActOn(stalls, options_, now_ns);
    if (stall == nullptr) continue;
    setup_.desk->Notice(absl::StrCat("heartbeat \"", stall->heartbeat, "\" has stayed away for ",
                                     absl::FormatDuration(options_.stall_grace),
                                     " since its report: will ", WhatFor(action, *process)));
    if (End(action, EndedByUs::kStall, process.get(), stall->tid, now_ns) &&
        action == DeadlockAction::kRestart) {
      return;
    }
  }
}

void Supervisor::LookAtClocks(uint64_t now_ns) {
  timespec boot;
  clock_gettime(CLOCK_BOOTTIME, &boot);
  const uint64_t boot_ns = static_cast<uint64_t>(boot.tv_sec) * 1'000'000'000 +
                           static_cast<uint64_t>(boot.tv_nsec);
  if (clocks_.Look({now_ns, boot_ns}, next_tick_ns_) == nullptr) return;
  for (auto& [pid, process] : processes_) process->Rebase(now_ns);
}

void Supervisor::KillOverdue(uint64_t now_ns) {
  for (auto& [pid, process] : processes_) {
    if (process->kill_at_ns == 0 || now_ns < process->kill_at_ns) continue;
    if (now_ns < process->kill_latest_ns && IsDumpingCore(pid)) continue;
    process->Signal(SIGKILL);
    if (!std::exchange(process->killed, true)) ++counts_.actions["kill,ok"];
  }
}

}  // namespace lockwarden
