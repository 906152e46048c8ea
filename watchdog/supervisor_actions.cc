// What follows a finding: the report, and what on_deadlock and on_stall say, one step after
// another. Nothing here waits: a step that takes long is a child that the loop reaps.
#include <time.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"
#include "watchdog/crash.h"
#include "watchdog/process_evidence.h"
#include "watchdog/process_facts.h"
#include "watchdog/process_tree.h"
#include "watchdog/restart_history.h"
#include "watchdog/stall_policy.h"
#include "watchdog/supervisor.h"

namespace lockwarden {
namespace {

constexpr uint64_t kAbortGraceNs = 5'000'000'000;
constexpr uint64_t kCoreFileNs = 120'000'000'000;  // a core file may take longer than the grace

uint64_t Nanoseconds(absl::Duration duration) {
  return static_cast<uint64_t>(absl::ToInt64Nanoseconds(duration));
}

}  // namespace

void Supervisor::Tell(Finding* finding, WatchedProcess* process) {
  setup_.desk->Take(finding, process->reader());
  const bool hangs = finding->kind == FindingKind::kDeadlock ||
                     finding->kind == FindingKind::kSelfDeadlock ||
                     finding->kind == FindingKind::kStall;
  // One that was told before, or is not wanted, has none of its own.
  if (hangs && !finding->incident.empty()) process->last_incident = finding->incident;
}

void Supervisor::Handle(std::vector<Finding> findings, WatchedProcess* process, uint64_t now_ns) {
  LedgerTotals totals;
  if (!findings.empty()) totals.Add(process->snapshot());
  std::erase_if(totals.dropped, [](const auto& drop) { return drop.second == 0; });
  for (Finding& finding : findings) {
    finding.dropped = totals.dropped;
    tests_.Name(&finding);
    if (finding.kind == FindingKind::kStall && !finding.heartbeat.empty() &&
        options_.on_stall.For(finding.cause).BeginsWithNote()) {
      setup_.desk->Notice(absl::StrCat(finding.headline, " (pid ", finding.pid, ")"));
      process->untold.push_back(std::move(finding));
      continue;
    }
    Tell(&finding, process);
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
  // Each of them is deadlocked. A restart is of PROGRAM, whoever they are; those that have left
  // its tree end with it.
  const bool sure = ActsOn(joint.finding.kind, joint.finding.confidence, options_.profile);
  for (WatchedProcess* process : involved) {
    process->last_incident = joint.finding.incident;
    Act(joint.finding, process, now_ns);
    if (!sure && options_.on_deadlock.Has(DeadlockAction::kRestart)) break;  // said once
  }
}

void Supervisor::Act(const Finding& finding, WatchedProcess* process, uint64_t now_ns) {
  if (done_) return;  // PROGRAM has ended, and with it our say over what it left behind
  if (!ActsOn(finding.kind, Confidence::kProven, options_.profile)) return;  // another kind
  process->told_deadlock = true;
  const Ladder& ladder = options_.on_deadlock;
  if (ladder.OnlyTells() || process->HasEnded() || process->deadlock.ladder != nullptr) return;
  if (!ActsOn(finding.kind, finding.confidence, options_.profile)) {
    ++counts_.suppressed["confidence"];
    setup_.desk->Notice(absl::StrCat("did not ", WhatFor(ladder.hardest(), *process),
                                     ": the deadlock is ", ConfidenceName(finding.confidence),
                                     ", and profile=", ProfileName(options_.profile),
                                     " wants better proof"));
    return;
  }
  process->deadlock = {&ladder, 0, now_ns};
  ClimbOn(&process->deadlock, {EndedByUs::kDeadlock, 0, 0, ""}, process, now_ns);
}

DeadlockAction Supervisor::Possible(DeadlockAction action) const {
  return setup_.attached != nullptr && action == DeadlockAction::kRestart ? DeadlockAction::kAbort
                                                                         : action;
}

std::string Supervisor::WhatFor(DeadlockAction action, const WatchedProcess& process) const {
  switch (Possible(action)) {
    case DeadlockAction::kRestart:
      return absl::StrCat("restart ", setup_.argv[0]);
    case DeadlockAction::kDump:
      return absl::StrCat("dump a core of pid ", process.pid());
    default:
      return absl::StrCat("abort pid ", process.pid());
  }
}

void Supervisor::ClimbOn(Climb* climb, const Hang& hang, WatchedProcess* process, uint64_t now_ns) {
  // A core that is being copied is waited for, for as long as CoreDumps allows it: the process
  // stands still meanwhile, and has none of the time until the next rung.
  if (dumps_.IsDumping(process->pid()) && climb->done != 0) climb->since_ns = now_ns;
  while (!dumps_.IsDumping(process->pid())) {
    const uint64_t since_ns = climb->since_ns;
    const Rung* rung = climb->ladder->Due(climb->done, since_ns, hang.first_delay_ns, now_ns);
    if (rung == nullptr) return;
    ++climb->done;
    climb->since_ns = now_ns;
    if (rung->action == DeadlockAction::kNote) continue;
    for (Finding& finding : std::exchange(process->untold, {})) Tell(&finding, process);
    if (rung->action == DeadlockAction::kReport) continue;
    if (!hang.line.empty()) {
      setup_.desk->Notice(absl::StrCat(hang.line, ": will ", WhatFor(rung->action, *process)));
    }
    if (rung->action == DeadlockAction::kDump) {
      Dump(process, now_ns);
    } else {
      End(rung->action, hang.why, process, hang.tid, now_ns);
    }
  }
}

void Supervisor::Dump(WatchedProcess* process, uint64_t now_ns) {
  const std::string directory =
      process->last_incident.empty() ? "" : options_.incidents + "/" + process->last_incident;
  const absl::Status started = dumps_.Start(process->pid(), directory, now_ns);
  if (started.ok()) return;
  if (absl::IsUnavailable(started)) {
    ++counts_.suppressed["dump_limit"];
  } else {
    ++counts_.actions["dump,failed"];
  }
  setup_.desk->Notice(absl::StrCat("no core of pid ", process->pid(), ": ", started.message()));
}

bool Supervisor::End(DeadlockAction action, EndedByUs why, WatchedProcess* process, uint32_t tid,
                     uint64_t now_ns) {
  action = Possible(action);
  if (action == DeadlockAction::kRestart) {
    process->Signal(SIGKILL);  // it may have left PROGRAM's tree, as daemons do
    if (program_ == 0) return true;
    ended_by_us_ = why;
    KillProcessTree(program_);
    ++counts_.actions["restart,ok"];
    return true;
  }
  if (process->kill_at_ns != 0) return false;  // it is being aborted: its time is not extended
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

void Supervisor::ActOnHangs(uint64_t now_ns) {
  if (done_) return;
  for (auto& [pid, process] : processes_) {
    if (process->HasEnded()) continue;
    // Dissolved: somebody outside ended a thread of it, or let one go.
    if (process->kill_at_ns == 0 && process->judge().state().told_now == 0 &&
        !joint_.Involves(pid)) {
      process->deadlock = Climb();
      process->told_deadlock = false;
    }
    if (Climb* const climb = &process->deadlock; climb->ladder != nullptr) {
      ClimbOn(climb, {EndedByUs::kDeadlock, 0, 0, ""}, process.get(), now_ns);
    } else {
      ActOnStalls(process.get(), now_ns);
    }
  }
}

void Supervisor::ActOnStalls(WatchedProcess* process, uint64_t now_ns) {
  if (options_.on_stall.OnlyTells() && !options_.on_stall.Has(DeadlockAction::kNote)) return;
  Climb* const climb = &process->stall;
  if (dumps_.IsDumping(process->pid())) {  // nothing can beat
    if (climb->done != 0) climb->since_ns = now_ns;
    return;
  }
  const std::vector<Stall> stalls = process->judge().stalls().now();
  const StallVerdict verdict = JudgeStalls(stalls, options_.stall_quorum, options_.on_stall);
  if (verdict.stall == nullptr) {
    *climb = Climb();
    if (stalls.empty()) process->untold.clear();  // it beats again: the line was enough
    return;
  }
  const Ladder* const ladder = &options_.on_stall.For(StallKindName(verdict.stall->kind));
  if (climb->ladder != ladder) *climb = {ladder, 0, 0};
  if (climb->done == 0) climb->since_ns = verdict.since_ns;
  const absl::Duration lasts = absl::Trunc(
      absl::Nanoseconds(static_cast<int64_t>(now_ns - verdict.since_ns)), absl::Milliseconds(100));
  ClimbOn(climb,
          {EndedByUs::kStall, verdict.stall->tid,
           climb->ladder->BeginsWithNote() ? 0 : Nanoseconds(options_.stall_grace),
           absl::StrCat("heartbeat \"", verdict.stall->heartbeat, "\" has stayed away for ",
                        absl::FormatDuration(lasts), " since it was told")},
          process, now_ns);
}

void Supervisor::TellCrash(WatchedProcess* process, const ProgramEnd& end, bool core_dumped,
                           uint64_t now_ns) {
  // What we ended, or were asked to end, needs no explanation; a deadlock has had its own.
  if (end.signal == 0 || end.asked_to_stop || end.deadlocked || end.stalled ||
      process->told_deadlock || !RestartPolicy::IsFailure(end)) {
    return;
  }
  const bool out_of_memory =
      end.signal == SIGKILL && oom_kills_ >= 0 && OutOfMemoryKills(getpid()) > oom_kills_;
  LedgerTotals totals;
  totals.Add(process->snapshot());
  std::erase_if(totals.dropped, [](const auto& drop) { return drop.second == 0; });
  Crash crash = CrashOf(process->Lend(), end.signal, core_dumped, out_of_memory, now_ns);
  crash.scene.dropped = totals.dropped;
  setup_.desk->TakeCrash(&crash, process->reader());
}

bool Supervisor::IsStuck() const {
  for (const auto& [pid, process] : processes_) {
    if (process->told_deadlock && !process->HasEnded()) return true;
  }
  return false;
}

void Supervisor::StopNow(absl::string_view why) {
  stop_.Killed();
  if (program_ == 0) return;
  setup_.desk->Notice(absl::StrCat(why, ": killing ", setup_.argv[0], " and what it started"));
  KillProcessTree(program_);
}

void Supervisor::KeepHistory() {
  if (options_.restart_state.empty()) return;
  const absl::Status kept = SaveRestartHistory(options_.restart_state, policy_.history());
  if (kept.ok() || std::exchange(history_told_, true)) return;
  setup_.desk->Notice(absl::StrCat("restart_state: ", kept.message()));
}

bool Supervisor::ReapedOurs(pid_t pid, int status, uint64_t now_ns) {
  if (hook_.Reaped(pid, status, now_ns)) return true;
  std::string said;
  const uint64_t before = dumps_.results().at("ok");
  if (!dumps_.Reaped(pid, status, &said)) return false;
  ++counts_.actions[dumps_.results().at("ok") != before ? "dump,ok" : "dump,failed"];
  setup_.desk->Notice(said);
  return true;
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
  dumps_.Look(now_ns);
  if (stop_.IsOver(now_ns)) {
    StopNow(absl::StrCat("stop_timeout=", absl::FormatDuration(options_.stop_timeout), " is over"));
  }
  for (auto& [pid, process] : processes_) {
    if (process->kill_at_ns == 0 || now_ns < process->kill_at_ns) continue;
    if (now_ns < process->kill_latest_ns && IsDumpingCore(pid)) continue;
    process->Signal(SIGKILL);
    if (!std::exchange(process->killed, true)) ++counts_.actions["kill,ok"];
  }
}

}  // namespace lockwarden
