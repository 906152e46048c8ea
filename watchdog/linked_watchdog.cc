// The supervisor's parts in a thread of the program: WatchedProcess judges, FindingDesk tells,
// RestartPolicy decides, SelfRestart starts again.
#include <pthread.h>
#include <signal.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <optional>
#include <system_error>
#include <thread>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/strings/str_cat.h"
#include "runtime/ledger.h"
#include "watchdog/clock_trust.h"
#include "watchdog/exit_status.h"
#include "watchdog/finding_desk.h"
#include "watchdog/include/lockwarden/watchdog.h"
#include "watchdog/mutex.h"
#include "watchdog/other_judge.h"
#include "watchdog/own_ledger.h"
#include "watchdog/own_threads.h"
#include "watchdog/process_facts.h"
#include "watchdog/restart_policy.h"
#include "watchdog/self_restart.h"
#include "watchdog/session_files.h"
#include "watchdog/stall_policy.h"
#include "watchdog/watched_process.h"

namespace lockwarden {
namespace {

constexpr uint64_t kSecondNs = 1'000'000'000;
constexpr uint64_t kTickNs = kSecondNs / 10;
constexpr uint64_t kProbeNs = kSecondNs;           // how often the other judge is asked for
constexpr uint64_t kAbortGraceNs = 5 * kSecondNs;  // from SIGABRT to SIGKILL
constexpr uint64_t kCoreFileNs = 120 * kSecondNs;
constexpr absl::Duration kPatience = absl::Seconds(1);  // with on_incident, before an action

uint64_t ClockNs(clockid_t clock) {
  timespec now;
  clock_gettime(clock, &now);
  return static_cast<uint64_t>(now.tv_sec) * kSecondNs + static_cast<uint64_t>(now.tv_nsec);
}

// A thread with every signal blocked: handlers are the program's other threads' business.
template <class Body>
std::thread QuietThread(Body body) {
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  std::thread thread;
  try {
    thread = std::thread(std::move(body));
  } catch (const std::system_error&) {
    // Not joinable: the caller says so.
  }
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  return thread;
}

// Calls the program back, from a thread of its own: one that hangs holds up nothing else.
class Caller {
 public:
  using Incident = Watchdog::Incident;
  explicit Caller(std::function<void(const Incident&)> callback) : callback_(std::move(callback)) {
    if (callback_) thread_ = QuietThread([this] { Run(); });
  }
  ~Caller() {
    {
      MutexLock lock(&mutex_);
      stop_ = wake_ = true;
      mutex_.Notify();
    }
    if (thread_.joinable()) thread_.join();
  }
  void Leave() {  // in a forked child, where the thread is not
    if (thread_.joinable()) thread_.detach();
  }
  void Call(Incident incident) {
    if (!thread_.joinable()) return;
    MutexLock lock(&mutex_);
    if (waiting_.size() >= kMostWaiting) return;  // one hangs: the report has been made
    waiting_.push_back(std::move(incident));
    idle_ = false;
    wake_ = true;
    mutex_.Notify();
  }
  // Until all calls have returned, or its patience is at an end.
  void Await() {
    MutexLock lock(&mutex_);
    mutex_.WaitFor(idle_, kPatience);
  }

 private:
  static constexpr size_t kMostWaiting = 64;

  void Run() {
    pthread_setname_np(pthread_self(), "lockwarden-call");
    for (;;) {
      std::optional<Incident> next;
      {
        MutexLock lock(&mutex_);
        while (!wake_) mutex_.WaitFor(wake_, absl::Hours(1));
        if (!waiting_.empty()) {
          next = std::move(waiting_.front());
          waiting_.pop_front();
        } else if (stop_) {
          return;
        } else {
          wake_ = false;
          idle_ = true;
          mutex_.Notify();
        }
      }
      if (next.has_value()) callback_(*next);
    }
  }

  const std::function<void(const Incident&)> callback_;
  Mutex mutex_;
  std::deque<Incident> waiting_ ABSL_GUARDED_BY(mutex_);
  bool wake_ ABSL_GUARDED_BY(mutex_) = false, stop_ ABSL_GUARDED_BY(mutex_) = false;
  bool idle_ ABSL_GUARDED_BY(mutex_) = true;
  std::thread thread_;
};

}  // namespace

// All but mutex_'s fields and acts_ belong to the thread, once that is started.
class Watchdog::Impl {
 public:
  Impl(lockwarden::Options options, std::unique_ptr<SessionFiles> files, Watchdog::Options given)
      : options_(std::move(options)),
        kept_(std::move(given.kept_descriptors)),
        files_(std::move(files)),
        writer_(options_.incidents),
        notices_(ReportSink::Stderr()),
        desk_(files_->MakeDesk(options_, &writer_, &notices_)),
        policy_(options_),
        caller_(std::move(given.on_incident)) {
    policy_.Remember(restart_.History(ClockNs(CLOCK_MONOTONIC)));
    desk_->SetHook([this](const Finding& finding, auto&&...) {
      caller_.Call({KindName(finding.kind), ConfidenceName(finding.confidence), finding.headline,
                    finding.incident.empty()
                        ? ""
                        : absl::StrCat(options_.incidents, "/", finding.incident)});
    });
    thread_ = QuietThread([this] { Run(); });
  }

  ~Impl() {
    if (getpid() != pid_) {  // a forked child: the threads are the parent's
      if (thread_.joinable()) thread_.detach();
      caller_.Leave();
      return;
    }
    {
      MutexLock lock(&mutex_);
      stop_ = true;
      mutex_.Notify();
    }
    if (thread_.joinable()) thread_.join();
    desk_->SetHook(nullptr);
  }

  bool started() const { return thread_.joinable(); }
  bool acts() const { return acts_.load(); }

 private:
  void Run() {
    BeginOwnThread("lockwarden-dog");
    for (;;) {
      const uint64_t now_ns = ClockNs(CLOCK_MONOTONIC);
      if (IsOurs(now_ns)) Look(now_ns);
      uint64_t next_ns = now_ns + kTickNs;
      if (own_ != nullptr && own_->judge().next_look_ns() != 0) {
        next_ns = std::min(next_ns, std::max(now_ns, own_->judge().next_look_ns()));
      }
      planned_ns_ = next_ns;
      MutexLock lock(&mutex_);
      mutex_.WaitFor(stop_, absl::Nanoseconds(next_ns - now_ns));
      if (stop_) break;
    }
    if (own_ == nullptr) return;
    for (Finding& finding : own_->Finish(ClockNs(CLOCK_MONOTONIC))) {
      desk_->Take(&finding, own_->reader());
    }
    files_->WriteBaseline(options_, desk_.get());
  }

  // One judge: with the other one gone, this one begins with what there is now.
  bool IsOurs(uint64_t now_ns) {
    if (now_ns >= next_probe_ns_) {
      next_probe_ns_ = now_ns + kProbeNs;
      if (const bool other = OtherJudge::Answers(); other == acts_.load()) {
        acts_ = !other;
        own_.reset();
        restart_at_ns_ = 0;
      }
    }
    return acts_.load();
  }

  void Look(uint64_t now_ns) {
    if (own_ == nullptr) {
      Registration self;
      self.reader = FindOwnLedger();
      if (self.reader == nullptr) return;
      self.pid = pid_;
      self.pidfd = UniqueFd(static_cast<int>(syscall(SYS_pidfd_open, pid_, 0)));
      if (!self.pidfd.valid()) return;
      JudgeOptions judging;
      judging.predict = options_.profile == Profile::kTest;
      judging.predict_joins = options_.predict != Predict::kLocks;
      judging.predict_classes = options_.predict == Predict::kClasses;
      judging.wait_limit_ns = static_cast<uint64_t>(absl::ToInt64Nanoseconds(options_.wait_limit));
      judging.rules = &files_->rules();
      own_ = std::make_unique<WatchedProcess>(std::move(self), judging);
    }
    if (clocks_.Look({now_ns, ClockNs(CLOCK_BOOTTIME)}, planned_ns_) != nullptr)
      own_->Rebase(now_ns);
    for (Finding& finding : own_->Step(now_ns)) {
      desk_->Take(&finding, own_->reader());
      ActOnDeadlock(finding, now_ns);
    }
    ClimbDeadlock(now_ns);
    ClimbStall(now_ns);
    if (restart_at_ns_ != 0 && now_ns >= restart_at_ns_) Restart();
    if (own_->kill_at_ns != 0 && now_ns >= own_->kill_at_ns &&
        (now_ns >= own_->kill_latest_ns || !IsDumpingCore(pid_))) {
      own_->Signal(SIGKILL);
    }
  }

  void ActOnDeadlock(const Finding& finding, uint64_t now_ns) {
    if (!ActsOn(finding.kind, Confidence::kProven, options_.profile)) return;  // another kind
    const Ladder& ladder = options_.on_deadlock;
    if (ladder.OnlyTells() || own_->deadlock.ladder != nullptr) return;
    if (!ActsOn(finding.kind, finding.confidence, options_.profile)) {
      desk_->Notice(absl::StrCat("did not ", ActionName(ladder.hardest()), ": the deadlock is ",
                                 ConfidenceName(finding.confidence), ", and profile=",
                                 ProfileName(options_.profile), " wants better proof"));
      return;
    }
    own_->deadlock = {&ladder, 0, now_ns};
  }

  void ClimbDeadlock(uint64_t now_ns) {
    if (own_->judge().state().told_now == 0) own_->deadlock = Climb();  // dissolved
    if (own_->deadlock.ladder == nullptr) return;
    ProgramEnd end;
    end.deadlocked = true;
    ClimbOn(&own_->deadlock, end, 0, "", 0, now_ns);
  }

  void ClimbStall(uint64_t now_ns) {
    if (options_.on_stall.OnlyTells() || own_->deadlock.ladder != nullptr) return;
    const std::vector<Stall> stalls = own_->judge().stalls().now();
    const StallVerdict verdict = JudgeStalls(stalls, options_.stall_quorum, options_.on_stall);
    Climb* const climb = &own_->stall;
    if (verdict.stall == nullptr) {
      *climb = Climb();
      return;
    }
    const Ladder* const ladder = &options_.on_stall.For(StallKindName(verdict.stall->kind));
    if (climb->ladder != ladder) *climb = {ladder, 0, 0};
    if (climb->done == 0) climb->since_ns = verdict.since_ns;
    ProgramEnd end;
    end.stalled = true;
    const auto grace_ns = static_cast<uint64_t>(absl::ToInt64Nanoseconds(options_.stall_grace));
    ClimbOn(climb, end, verdict.stall->tid,
            absl::StrCat("heartbeat \"", verdict.stall->heartbeat, "\" has stayed away for ",
                         absl::FormatDuration(options_.stall_grace), " since its report"),
            grace_ns, now_ns);
  }

  // The report is out already, and a core of a process is copied by another only: those rungs are
  // no more than their delay here.
  void ClimbOn(Climb* climb, const ProgramEnd& end, uint32_t tid, const std::string& line,
               uint64_t first_delay_ns, uint64_t now_ns) {
    while (!acted_) {
      const Rung* const rung =
          climb->ladder->Due(climb->done, climb->since_ns, first_delay_ns, now_ns);
      if (rung == nullptr) return;
      ++climb->done;
      climb->since_ns = now_ns;
      if (rung->action != DeadlockAction::kAbort && rung->action != DeadlockAction::kRestart) {
        continue;
      }
      if (!line.empty()) {
        desk_->Notice(absl::StrCat(line, ": will ", ActionName(rung->action), " pid ", pid_));
      }
      Act(rung->action, end, tid, now_ns);
    }
  }

  // Once: what comes after it is the end of this life.
  void Act(DeadlockAction action, const ProgramEnd& end, uint32_t tid, uint64_t now_ns) {
    if (std::exchange(acted_, true)) return;
    caller_.Await();
    if (action == DeadlockAction::kAbort) {
      if (tid == 0 || !own_->SignalThread(tid, SIGABRT)) own_->Signal(SIGABRT);
      own_->kill_at_ns = now_ns + kAbortGraceNs;
      own_->kill_latest_ns = now_ns + kCoreFileNs;
      return;
    }
    const RestartPolicy::Decision decision = policy_.OnEnd(end, now_ns);
    if (decision.verdict != RestartPolicy::Verdict::kRestart) {
      desk_->Notice(absl::StrCat(
          "giving up on ", restart_.program(), " after a ", end.deadlocked ? "deadlock" : "stall",
          ": restart_max=", options_.restart_max,
          " within restart_window=", absl::FormatDuration(options_.restart_window), " is used up"));
      _exit(kExitBudgetSpent);
    }
    restart_line_ = absl::StrCat("restarting ", restart_.program(), " (", decision.number, " of ",
                                 options_.restart_max, ") after a ",
                                 end.deadlocked ? "deadlock" : "stall", ": it executes itself");
    restart_at_ns_ = std::max<uint64_t>(decision.at_ns, 1);
  }

  void Restart() {
    restart_at_ns_ = 0;
    desk_->Notice(restart_line_);
    const int error = restart_.Execute(kept_, policy_.history());
    desk_->Notice(absl::StrCat("cannot restart ", restart_.program(), ": ", std::strerror(error),
                               "; aborting it"));
    own_->Signal(SIGABRT);
    own_->kill_at_ns = own_->kill_latest_ns = ClockNs(CLOCK_MONOTONIC) + kAbortGraceNs;
  }

  const pid_t pid_ = getpid();
  const lockwarden::Options options_;
  const std::vector<int> kept_;
  const SelfRestart restart_;
  const std::unique_ptr<SessionFiles> files_;
  IncidentWriter writer_;
  ReportSink notices_;
  const std::unique_ptr<FindingDesk> desk_;
  RestartPolicy policy_;
  ClockTrust clocks_;
  std::unique_ptr<WatchedProcess> own_;
  uint64_t next_probe_ns_ = 0, planned_ns_ = 0;
  uint64_t restart_at_ns_ = 0;  // 0: none is due
  std::string restart_line_;
  bool acted_ = false;
  std::atomic<bool> acts_{false};
  Caller caller_;

  Mutex mutex_;
  bool stop_ ABSL_GUARDED_BY(mutex_) = false;
  std::thread thread_;
};

absl::StatusOr<std::unique_ptr<Watchdog>> Watchdog::Start(Options given) {
  auto settings = ParseOptionsVariable(given.options);
  if (!settings.ok()) {
    return absl::InvalidArgumentError(absl::StrCat("Watchdog: ", settings.status().message()));
  }
  settings->insert(settings->begin(), Setting{"profile", "production"});
  const char* variable = secure_getenv(ledger::kOptionsVariable);
  const auto environment = ParseOptionsVariable(variable == nullptr ? "" : variable);
  if (!environment.ok()) return environment.status();
  settings->insert(settings->end(), environment->begin(), environment->end());
  char directory[4096];
  if (getcwd(directory, sizeof directory) == nullptr) std::strcpy(directory, "/");
  auto options = ResolveOptions(*settings, {}, directory);
  if (!options.ok()) return options.status();
  auto files = SessionFiles::Open(&*options);
  if (!files.ok()) return files.status();
  if (!options->watchdog) return std::unique_ptr<Watchdog>(new Watchdog(nullptr));
  auto impl = std::make_unique<Impl>(*std::move(options), *std::move(files), std::move(given));
  if (!impl->started()) return absl::UnavailableError("Watchdog: no thread to be had");
  return std::unique_ptr<Watchdog>(new Watchdog(std::move(impl)));
}

Watchdog::Watchdog(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Watchdog::~Watchdog() = default;
bool Watchdog::acts() const { return impl_ != nullptr && impl_->acts(); }

}  // namespace lockwarden
