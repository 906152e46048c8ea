// The loop. What may be decided without the kernel is decided elsewhere (restart_policy,
// exit_status, finding_desk); here is who calls whom, and when. What follows a finding is
// in supervisor_actions.cc, what metrics show in supervisor_metrics.cc, the end of a run in
// supervisor_end.cc.
#include "watchdog/supervisor.h"

#include <sys/epoll.h>
#include <sys/random.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>

#include "absl/strings/str_cat.h"
#include "watchdog/preflight.h"
#include "watchdog/printable.h"
#include "watchdog/process_evidence.h"
#include "watchdog/report/lock_graph_save.h"
#include "watchdog/restart_history.h"

namespace lockwarden {
namespace {

constexpr uint64_t kMs = 1'000'000;
constexpr uint64_t kTickNs = 100 * kMs;

bool Watch(int epoll, int fd, int pid) {
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.u64 = static_cast<uint64_t>(pid);
  return epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) == 0;
}

uint64_t Random() {
  uint64_t bits = 0;
  return getrandom(&bits, sizeof bits, GRND_NONBLOCK) == sizeof bits ? bits : 0;
}

}  // namespace

uint64_t Supervisor::NowNs() {
  timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<uint64_t>(now.tv_sec) * 1'000'000'000 + static_cast<uint64_t>(now.tv_nsec);
}

Supervisor::Supervisor(Setup setup)
    : setup_(std::move(setup)),
      policy_(setup_.options, Random),
      signals_(setup_.inherited->forwarded()),
      stop_(options_.on_stop,
            static_cast<uint64_t>(absl::ToInt64Nanoseconds(options_.stop_timeout))),
      joint_(MakeProcFileLockView(), JudgeOptions().confirm_after_ns),
      service_(setup_.service),
      hook_(options_.on_incident, setup_.hook_environment,
            static_cast<uint64_t>(absl::ToInt64Nanoseconds(options_.on_incident_timeout))),
      dumps_(setup_.hook_environment, static_cast<uint64_t>(options_.incidents_mb) * 1'000'000),
      journal_(setup_.journal_stream) {
  setup_.desk->SetHook([this](const Finding& finding, const char* kind) {
    hook_.Start(finding, options_.incidents, NowNs(), kind);
    if (kind == nullptr) tests_.Note(finding);
  });
  setup_.desk->SetJournal(&journal_);
  setup_.desk->SetEvidence(
      [this](const Finding& finding, const char* kind) { return Evidence(finding, kind); });
  if (!options_.restart_state.empty()) {
    policy_.Remember(LoadRestartHistory(options_.restart_state, NowNs()));
  }
  unable_ = signals_.error();
  epoll_ = UniqueFd(epoll_create1(EPOLL_CLOEXEC));
  if (unable_ == 0 && (!epoll_.valid() || !Watch(epoll_.get(), signals_.fd(), 0) ||
                       !Watch(epoll_.get(), setup_.registrar->fd(), 0))) {
    unable_ = errno;
  }
}

Supervisor::~Supervisor() {
  setup_.desk->SetHook(nullptr);
  setup_.desk->SetJournal(nullptr);
  setup_.desk->SetEvidence(nullptr);
}

ExitStatus Supervisor::Run() {
  if (unable_ != 0) {  // PROGRAM's end would go unnoticed
    setup_.desk->Notice(
        absl::StrCat("cannot watch ", setup_.argv[0], ": ", std::strerror(unable_)));
    return {kExitUsage, 0};
  }
  if (setup_.attached == nullptr) {
    StartProgram(NowNs());
  } else {
    attached_ = setup_.attached->pid;
    Take(std::move(*setup_.attached), NowNs());
    next_tick_ns_ = NowNs() + kTickNs;
  }
  while (!done_) {
    const std::vector<int> ended = Wait();
    const uint64_t now_ns = NowNs();
    // First: who registered and ended since the last look is judged, not missed.
    TakeRegistrations(now_ns);
    TakeSignals(now_ns);
    for (int pid : ended) {
      const auto process = processes_.find(pid);
      if (pid == program_) continue;  // Reap knows how it ended, in a moment
      if (process != processes_.end() && process->second->HasEnded()) Retire(process, now_ns);
    }
    if (done_) break;
    LookAtProcesses(now_ns);
    AnswerTests(now_ns);
    done_ |= setup_.attached != nullptr && processes_.empty();
    if (restart_at_ns_ != 0 && now_ns >= restart_at_ns_) {
      setup_.desk->Notice(restart_line_);
      restart_at_ns_ = 0;
      StartProgram(now_ns);
    }
  }
  return Leave(NowNs());
}

void Supervisor::StartProgram(uint64_t now_ns) {
  oom_kills_ = OutOfMemoryKills(getpid());
  const SpawnResult spawned =
      Spawn(setup_.argv, setup_.environment, *setup_.inherited, options_.ends_with_supervisor);
  ended_by_us_ = EndedByUs::kNo;
  if (spawned.error == 0) {
    program_ = spawned.pid;
    next_tick_ns_ = now_ns + kTickNs;
    TellServiceManager(now_ns);
    return;
  }
  if (!spawned.forked) {
    setup_.desk->Notice(absl::StrCat("cannot start ", setup_.argv[0], ": ",
                                     std::strerror(spawned.error)));
    exit_ = ExitStatus{kExitUsage, 0};
    done_ = true;
    return;
  }
  const bool there = access(FindProgram(setup_.argv[0], getenv("PATH")).c_str(), F_OK) == 0;
  setup_.desk->Notice(absl::StrCat("cannot run ", setup_.argv[0], ": ",
                                   spawned.error == ENOENT && there
                                       ? "its interpreter does not exist"
                                       : std::strerror(spawned.error)));
  exit_ = ExitStatus{spawned.error == ENOENT ? kExitNotFound : kExitNotExecutable, 0};
  done_ = true;
}

uint64_t Supervisor::NextDeadline() const {
  uint64_t next = next_tick_ns_;
  const auto consider = [&next](uint64_t at) {
    if (at != 0) next = std::min(next, at);
  };
  consider(restart_at_ns_);
  consider(joint_.next_look_ns());
  consider(hook_.next_look_ns());
  consider(dumps_.next_look_ns());
  consider(stop_.deadline_ns());
  for (const auto& [pid, process] : processes_) {
    consider(process->judge().next_look_ns());
  }
  return next;
}

std::vector<int> Supervisor::Wait() {
  const uint64_t now_ns = NowNs(), next = NextDeadline();
  const int timeout_ms = next <= now_ns ? 0 : static_cast<int>((next - now_ns + kMs - 1) / kMs);
  epoll_event events[64];
  const int count = epoll_wait(epoll_.get(), events, 64, timeout_ms);
  std::vector<int> ended;
  for (int i = 0; i < count; ++i) {
    if (const int pid = static_cast<int>(events[i].data.u64); pid != 0) ended.push_back(pid);
  }
  return ended;
}

void Supervisor::Take(Registration registration, uint64_t now_ns) {
  ++processes_seen_;
  const int pid = registration.pid, pidfd = registration.pidfd.get();
  // The same pid again: an exec; the image before it has come to its end.
  if (const auto old = processes_.find(pid); old != processes_.end()) Retire(old, now_ns);
  JudgeOptions judging;
  judging.predict = options_.profile == Profile::kTest;
  judging.predict_joins = options_.predict != Predict::kLocks;
  judging.predict_classes = options_.predict == Predict::kClasses;
  judging.wait_limit_ns = static_cast<uint64_t>(absl::ToInt64Nanoseconds(options_.wait_limit));
  judging.rules = setup_.rules;
  const auto added =
      processes_.emplace(pid, std::make_unique<WatchedProcess>(std::move(registration), judging));
  if (pidfd < 0) {
    Retire(added.first, now_ns);  // it has ended already
  } else {
    Watch(epoll_.get(), pidfd, pid);  // on failure each tick asks
  }
}

void Supervisor::TakeRegistrations(uint64_t now_ns) {
  for (Registration& registration : setup_.registrar->Accept(now_ns)) {
    Take(std::move(registration), now_ns);
  }
  past_.stepped_aside += setup_.registrar->stepped_aside() - stepped_aside_seen_;
  stepped_aside_seen_ = setup_.registrar->stepped_aside();
  if (!refusal_told_ && setup_.registrar->refused() != 0) {
    refusal_told_ = true;
    setup_.desk->Notice(setup_.registrar->first_refusal());
  }
}

void Supervisor::Retire(Processes::iterator process, uint64_t now_ns,
                        const std::function<void(WatchedProcess*)>& crashed) {
  // What a note was to come before.
  for (Finding& finding : std::exchange(process->second->untold, {})) {
    Tell(&finding, process->second.get());
  }
  Handle(process->second->Finish(now_ns), process->second.get(), now_ns);
  if (crashed != nullptr) crashed(process->second.get());
  for (const std::string& line : joint_.Forget(process->second->Lend(), now_ns)) {
    setup_.desk->Notice(line);
  }
  past_.Add(process->second->snapshot());
  past_heartbeats_.AddEnded(process->second->snapshot(), process->second->judge().stalls());
  setup_.desk->CountMerged(process->second->judge().state().merged);
  if (options_.verbose) {
    for (const std::string& line : process->second->TurnedDown()) {
      setup_.desk->Notice(Printable(line));
    }
  }
  if (metrics_ != nullptr) ledgers_.Ended(Serve(*process->second));
  if (!options_.lock_graph.empty()) {
    const absl::Status saved = SaveLockGraph(process->second->Lend(), options_.lock_graph);
    if (!saved.ok()) setup_.desk->Notice(absl::StrCat("lock_graph: ", saved.message()));
  }
  processes_.erase(process);
}

void Supervisor::RetireEnded(uint64_t now_ns) {
  for (auto next = processes_.begin(); next != processes_.end();) {
    const auto process = next++;
    const bool ended = process->first != program_ && process->second->HasEnded();
    if (ended || process->second->HasExeced()) Retire(process, now_ns);
  }
}

void Supervisor::TakeSignals(uint64_t now_ns) {
  signalfd_siginfo info;
  while (signals_.Next(&info)) {
    const int signal = static_cast<int>(info.ssi_signo);
    if (signal == SIGCHLD) {
      Reap(now_ns);
      continue;
    }
    const bool ignored = setup_.inherited->WasIgnored(signal);
    const bool passed_on = SignalRelay::CameFromProcess(info);
    StopPolicy::Step step;
    if (AsksToStop(signal) && !ignored) step = stop_.OnRequest(IsStuck(), !passed_on, now_ns);
    if (program_ != 0) {
      if (step.kill) {
        StopNow("asked to stop again");
      } else if (step.signal != 0) {
        kill(program_, step.signal);
      } else if (passed_on) {
        SignalRelay::Forward(info, program_);
      }
    } else if (!ignored && !done_ && (AsksToStop(signal) || signal == SIGHUP)) {
      // Between two lives of PROGRAM there is nobody to pass it on to.
      exit_ = ExitStatus{0, signal};
      done_ = true;
    }
  }
}

void Supervisor::Reap(uint64_t now_ns) {
  int status;
  // All children: as pid 1 of a container we are everybody's parent in the end.
  for (pid_t pid; (pid = ReapOne(&status)) != 0;) {
    if (ReapedOurs(pid, status, now_ns) || pid != program_) continue;
    program_ = 0;
    ProgramEnd end;
    end.signal = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
    end.code = WIFEXITED(status) ? WEXITSTATUS(status) : 0;
    end.deadlocked = ended_by_us_ == EndedByUs::kDeadlock;
    end.stalled = ended_by_us_ == EndedByUs::kStall;
    end.asked_to_stop = stop_.asked();
    // What it handed over in its last moments.
    TakeRegistrations(now_ns);
    if (const auto process = processes_.find(pid); process != processes_.end()) {
      Retire(process, now_ns, [&](WatchedProcess* crashed) {
        TellCrash(crashed, end, WIFSIGNALED(status) && WCOREDUMP(status), now_ns);
      });
    }
    ProgramEnded(end, now_ns);
  }
}

void Supervisor::ProgramEnded(const ProgramEnd& end, uint64_t now_ns) {
  last_end_ = end;
  const RestartPolicy::Decision decision = policy_.OnEnd(end, now_ns);
  if (decision.verdict == RestartPolicy::Verdict::kRestart) {
    const bool limited = options_.restart_window > absl::ZeroDuration();
    restart_line_ = absl::StrCat(
        "restarting ", setup_.argv[0], " (", decision.number,
        limited ? absl::StrCat(" of ", options_.restart_max) : ", no limit", ") after ",
        DescribeEnd(end));
    restart_at_ns_ = std::max<uint64_t>(decision.at_ns, 1);
    ++restarts_[decision.reason];
    KeepHistory();
    return;
  }
  budget_spent_ = decision.verdict == RestartPolicy::Verdict::kBudgetSpent;
  done_ = true;
}

void Supervisor::LookAtProcesses(uint64_t now_ns) {
  const bool tick = now_ns >= next_tick_ns_;
  hook_.Look(now_ns);
  if (tick) LookAtClocks(now_ns);
  for (auto& [pid, process] : processes_) {
    const uint64_t wanted = process->judge().next_look_ns();
    if (!tick && (wanted == 0 || now_ns < wanted)) continue;
    Handle(process->Step(now_ns), process.get(), now_ns);
  }
  if (const uint64_t wanted = joint_.next_look_ns();
      tick || (wanted != 0 && wanted <= now_ns)) {
    LookAcross(now_ns);
  }
  if (!tick) return;
  RetireEnded(now_ns);
  if (setup_.on_tick) {
    std::vector<int> pids;
    for (const auto& [pid, process] : processes_) pids.push_back(pid);
    setup_.on_tick(pids);
  }
  ActOnHangs(now_ns);
  KillOverdue(now_ns);
  RetryMetrics(now_ns);
  TellServiceManager(now_ns);
  const uint64_t end_ns = NowNs();
  ++checks_;
  check_seconds_ = static_cast<double>(end_ns - now_ns) / 1e9;
  next_tick_ns_ = std::max(now_ns + kTickNs, end_ns + kTickNs / 10);
  Publish(end_ns);
}

void Supervisor::LookAcross(uint64_t now_ns) {
  std::vector<JudgedProcess> processes;
  for (const auto& [pid, process] : processes_) {
    if (!process->HasEnded()) processes.push_back(process->Lend());
  }
  for (JointFinding& joint : joint_.Look(processes, now_ns)) HandleJoint(std::move(joint), now_ns);
}

// Who asks waits: its process is looked at now.
void Supervisor::AnswerTests(uint64_t now_ns) {
  for (TestCall& call : setup_.registrar->TakeTestCalls()) tests_.Take(std::move(call), now_ns);
  for (const int pid : tests_.Waiting()) {
    const auto process = processes_.find(pid);
    bool settled = true;
    if (process != processes_.end()) {
      Handle(process->second->Step(now_ns), process->second.get(), now_ns);
      settled = process->second->judge().next_look_ns() == 0;
    }
    tests_.Answer(pid, settled, now_ns);
  }
}

}  // namespace lockwarden
