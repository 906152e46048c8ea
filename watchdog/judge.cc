// ProcessJudge: one look after another at one ledger; what each detector finds becomes
// a finding, once.
#include "watchdog/judge.h"

#include <set>
#include <tuple>

#include "watchdog/condition_watch.h"
#include "watchdog/deadlock_detector.h"
#include "watchdog/deadlock_finding.h"
#include "watchdog/exit_watch.h"
#include "watchdog/finding_parts.h"
#include "watchdog/misuse_finding.h"
#include "watchdog/order_finding.h"
#include "watchdog/order_watch.h"
#include "watchdog/report.h"
#include "watchdog/rule_watch.h"
#include "watchdog/signal_lock_watch.h"
#include "watchdog/stall_watch.h"
#include "watchdog/violation_finding.h"

namespace lockwarden {
namespace {

constexpr uint64_t kStallsHeldNs = 2'000'000'000;
constexpr size_t kNamesKept = 65'536;  // threads; later ones are told by number
constexpr size_t kPredictionsALook = 64;
constexpr size_t kPredictionsLast = 4096;

}  // namespace

class ProcessJudge::Impl {
 public:
  Impl(const LedgerReader* reader, KernelView* kernel, StackResolver* resolver, int pid,
       JudgeOptions options)
      : options_(options),
        reader_(reader),
        kernel_(kernel),
        pid_(pid),
        detector_(reader, kernel, options.confirm_after_ns),
        order_(reader, options.predict_joins, options.predict_classes),
        rules_(reader, options.rules),
        signal_locks_(reader),
        exits_(reader, kernel),
        stalls_(kernel, options.wait_limit_ns),
        parts_(reader, kernel, resolver, &names_, pid) {}

  std::vector<Finding> Step(uint64_t now_ns) {
    std::vector<Finding> findings;
    Take();
    ReadMisuse(now_ns);
    const Detection detection = detector_.Look(snapshot_, now_ns);
    for (const Deadlock& deadlock : detection.deadlocks) {
      findings.push_back(DeadlockFinding(parts_, detection, deadlock, now_ns));
      NoteLocks(detection.model, deadlock);
    }
    next_look_ns_ = detector_.next_look_ns();
    // Somebody saw a cycle close that this look did not see: its last store may not have
    // been visible yet.
    if (snapshot_.candidates != candidates_seen_ && !detector_.has_suspects() &&
        detection.deadlocks.empty()) {
      next_look_ns_ = now_ns + options_.confirm_after_ns;
    }
    candidates_seen_ = snapshot_.candidates;
    TellMisuse(now_ns, /*last=*/false, &findings);
    exits_.Look(snapshot_, parts_, now_ns, /*last=*/false, &findings);
    LookAtStalls(now_ns, &findings);
    if (snapshot_.moved || conditions_.watches()) {
      conditions_.Look({.snapshot = &snapshot_, .reader = reader_, .kernel = kernel_,
                        .handed_over = &detector_.handed_over(),
                        .known = &detector_.known_slots()},
                       parts_, now_ns, &findings);
    }
    if (options_.predict && signal_locks_.waits()) {
      signal_locks_.Tell(parts_, kernel_->CaughtSignals(),
                         {.now_ns = now_ns, .hold = detector_.has_suspects()}, &findings);
    }
    rules_.Look(snapshot_, parts_, /*last=*/false, &findings);
    if (options_.predict) Predict(now_ns, /*last=*/false, &findings);
    Merge(&findings);
    state_.deadlocked_threads = detector_.deadlocked_threads();
    state_.deadlock_cycles = detector_.deadlocks_now();
    state_.told_now = detector_.told_now();
    state_.order_cycles = order_.cycles();
    return findings;
  }

  std::vector<Finding> Finish(uint64_t now_ns) {
    std::vector<Finding> findings;
    Take();
    ReadMisuse(now_ns);
    TellMisuse(now_ns, /*last=*/true, &findings);
    exits_.Look(snapshot_, parts_, now_ns, /*last=*/true, &findings);
    if (options_.predict) {
      signal_locks_.Tell(parts_, std::nullopt, {.now_ns = now_ns, .last = true}, &findings);
    }
    rules_.Look(snapshot_, parts_, /*last=*/true, &findings);
    if (options_.predict) Predict(now_ns, /*last=*/true, &findings);
    Merge(&findings);
    detector_.Forget();
    next_look_ns_ = 0;
    state_ = JudgeState{.order_cycles = order_.cycles(), .merged = state_.merged};
    return findings;
  }

  void Rebase(uint64_t now_ns) { stalls_.Rebase(now_ns); }
  const StallWatch& stalls() const { return stalls_; }
  uint64_t next_look_ns() const { return next_look_ns_; }
  const JudgeState& state() const { return state_; }
  std::vector<std::string> TurnedDown() const {
    std::vector<std::string> lines;
    for (const PredictedCycle& cycle : order_.Rejected()) {
      lines.push_back(RejectedLine(parts_, cycle));
    }
    return lines;
  }
  const Snapshot& last_snapshot() const { return snapshot_; }
  JudgedProcess Lend() const {
    return {.pid = pid_, .snapshot = &snapshot_, .reader = reader_, .kernel = kernel_,
            .parts = &parts_, .handed_over = &detector_.handed_over()};
  }

 private:
  void Take() {
    reader_->Refresh(&snapshot_);
    for (const ThreadInfo& thread : snapshot_.threads) {
      if (!thread.fresh) continue;
      if (thread.serial == 0 || thread.tid == 0) continue;
      if (names_.size() >= kNamesKept && !names_.contains(thread.serial)) continue;
      ThreadName& known = names_[thread.serial];
      known.tid = thread.tid;
      if (known.name != thread.name && !thread.torn) known.name = thread.name;
    }
  }

  // A deadlock that is about to be told explains more than a stall does. But suspects may stay
  // for ever, where a signal's handler might wake them all.
  void LookAtStalls(uint64_t now_ns, std::vector<Finding>* findings) {
    if (!detector_.has_suspects()) {
      suspects_since_ns_ = 0;
    } else if (suspects_since_ns_ == 0) {
      suspects_since_ns_ = now_ns;
    }
    const bool hold = suspects_since_ns_ != 0 && now_ns - suspects_since_ns_ < kStallsHeldNs;
    stalls_.Look(snapshot_, parts_, {.stuck = stuck_, .hold = hold}, now_ns, findings);
  }

  void ReadMisuse(uint64_t now_ns) {
    const uint32_t count = reader_->MisuseCount();
    for (; next_misuse_ < count; ++next_misuse_) not_whole_.push_back(next_misuse_);
    // What is not whole is looked at again: its writer is at it, or died in the middle of it.
    std::erase_if(not_whole_, [&](uint32_t index) {
      const std::optional<MisuseInfo> misuse = reader_->Misuse(index);
      if (misuse.has_value()) AddMisuse(*misuse, now_ns);
      return misuse.has_value();
    });
  }

  void AddMisuse(const MisuseInfo& misuse, uint64_t now_ns) {
    if (misuse.kind == ledger::MisuseKind::kNone) return;
    // The types of our own refuse it: nothing was handed over.
    if (misuse.kind == ledger::MisuseKind::kUnlockNotOwner &&
        !IsOwnType(reader_->Lock(misuse.lock))) {
      detector_.NoteHandOver(misuse.lock);
    }
    if (misuse.kind == ledger::MisuseKind::kTakenInHandler) {
      return signal_locks_.Add(misuse, now_ns);
    }
    const auto same = [](const MisuseInfo& a) {
      const bool pair = a.kind == ledger::MisuseKind::kOrderViolation;
      return std::tuple(a.kind, a.site, a.stack, pair ? a.other_stack : 0u);
    };
    if (misuse_places_.insert(same(misuse)).second) return untold_.push_back(misuse);
    // Threads that come by one place at once may each write it down.
    for (MisuseInfo& untold : untold_) {
      if (same(untold) == same(misuse)) untold.count += misuse.count;
    }
  }

  void TellMisuse(uint64_t now_ns, bool last, std::vector<Finding>* findings) {
    std::erase_if(untold_, [&](const MisuseInfo& misuse) {
      if (misuse.kind == ledger::MisuseKind::kRelock) {
        // A relock that hangs is a self-deadlock, and told as one.
        if (relocked_.contains({misuse.thread_serial, misuse.lock})) return true;
        if (!last && Waits(misuse.thread_serial, misuse.lock)) return false;
      }
      if (misuse.kind == ledger::MisuseKind::kOrderViolation) {
        const uint64_t then = misuse.time_ns != 0 ? misuse.time_ns : now_ns;
        findings->push_back(ViolationFinding(parts_, ViolationOf(misuse), then));
      } else if (!IsExcused(parts_, misuse)) {
        findings->push_back(MisuseFinding(parts_, misuse, now_ns));
      }
      return true;
    });
  }

  bool Waits(uint32_t serial, LockKey lock) const {
    for (const ThreadInfo& thread : snapshot_.threads) {
      if (thread.serial != serial) continue;
      for (const Wait& wait : thread.waits) {
        if (wait.lock == lock) return true;
      }
    }
    return false;
  }

  void Predict(uint64_t now_ns, bool last, std::vector<Finding>* findings) {
    order_.Look(snapshot_, now_ns, last);
    for (const PredictedCycle& cycle :
         order_.Take(now_ns, /*hold=*/!last && detector_.has_suspects(),
                     last ? kPredictionsLast : kPredictionsALook)) {
      findings->push_back(OrderFinding(parts_, cycle, now_ns));
    }
  }

  // Predictions and violations come once for each set of stacks; people want them once for each
  // set of functions.
  void Merge(std::vector<Finding>* findings) {
    std::erase_if(*findings, [&](const Finding& finding) {
      if (finding.kind != FindingKind::kPotentialDeadlock &&
          finding.kind != FindingKind::kOrderViolation) {
        return false;
      }
      if (told_.insert(Fingerprint(finding)).second) return false;
      ++state_.merged;
      return true;
    });
  }

  void NoteLocks(const WaitModel& model, const Deadlock& deadlock) {
    std::set<LockKey> locks;
    for (uint32_t i : deadlock.core) {
      const ModelNode& node = model.nodes[i];
      if (node.mode != ledger::Mode::kJoin) locks.insert(node.lock.key);
      stuck_.insert(node.thread->serial);
      relocked_.insert({node.thread->serial, node.lock.key});
      if (reader_->IsInHandler(node.wait->stack)) signal_locks_.Cover(node.lock.key);
    }
    order_.Cover(locks);
  }

  const JudgeOptions options_;
  const LedgerReader* reader_;
  KernelView* kernel_;
  const int pid_;
  ThreadNames names_;
  DeadlockDetector detector_;
  OrderWatch order_;
  RuleWatch rules_;
  SignalLockWatch signal_locks_;
  ExitWatch exits_;
  StallWatch stalls_;
  ConditionWatch conditions_;
  FindingParts parts_;
  Snapshot snapshot_;
  JudgeState state_;
  uint64_t next_look_ns_ = 0;
  uint64_t suspects_since_ns_ = 0;  // 0: there are none
  uint32_t candidates_seen_ = 0;
  uint32_t next_misuse_ = 0;
  std::vector<uint32_t> not_whole_;  // records of misuse, by index
  // Site, stack and, of a pair of places, the other one's.
  std::set<std::tuple<ledger::MisuseKind, uint64_t, uint32_t, uint32_t>> misuse_places_;
  std::vector<MisuseInfo> untold_;
  absl::flat_hash_set<uint32_t> stuck_;              // serials in deadlocks told
  std::set<std::string> told_;                       // fingerprints
  std::set<std::pair<uint32_t, LockKey>> relocked_;  // {thread serial, lock} of deadlocks told
};

ProcessJudge::ProcessJudge(const LedgerReader* reader, KernelView* kernel, StackResolver* resolver,
                           int pid, JudgeOptions options)
    : impl_(std::make_unique<Impl>(reader, kernel, resolver, pid, options)) {}
ProcessJudge::~ProcessJudge() = default;

std::vector<Finding> ProcessJudge::Step(uint64_t now_ns) { return impl_->Step(now_ns); }
std::vector<Finding> ProcessJudge::Finish(uint64_t now_ns) { return impl_->Finish(now_ns); }
void ProcessJudge::Rebase(uint64_t now_ns) { impl_->Rebase(now_ns); }
const StallWatch& ProcessJudge::stalls() const { return impl_->stalls(); }
uint64_t ProcessJudge::next_look_ns() const { return impl_->next_look_ns(); }
const JudgeState& ProcessJudge::state() const { return impl_->state(); }
std::vector<std::string> ProcessJudge::TurnedDown() const { return impl_->TurnedDown(); }
const Snapshot& ProcessJudge::last_snapshot() const { return impl_->last_snapshot(); }
JudgedProcess ProcessJudge::Lend() const { return impl_->Lend(); }

}  // namespace lockwarden
