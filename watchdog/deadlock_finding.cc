// Headline, story, and threads with what they hold and wait for.
#include "watchdog/deadlock_finding.h"

#include <algorithm>
#include <set>

#include "absl/strings/str_cat.h"
#include "watchdog/condition_finding.h"
#include "watchdog/deadlock_advice.h"
#include "watchdog/helper_text.h"
#include "watchdog/signal_lock_watch.h"

namespace lockwarden {
namespace {

using ledger::Mode;

constexpr size_t kThreadsTold = 64;  // beyond the core; the rest is a number
constexpr size_t kHoldsTold = 32;    // a thread; the rest is a number

class Teller {
 public:
  // `cast` is null for one process.
  Teller(const FindingParts& lead, const JointCast* cast, const WaitModel& model,
         const Deadlock& deadlock, uint64_t now_ns)
      : lead_(lead), cast_(cast), model_(model), deadlock_(deadlock), now_ns_(now_ns) {}

  Finding Tell() {
    const bool self = deadlock_.shape == Deadlock::Shape::kCycle && deadlock_.core.size() == 1 &&
                      Node(0).need != Need::kAnyone;
    finding_ = lead_.Begin(deadlock_.presumed ? FindingKind::kStall
                           : self             ? FindingKind::kSelfDeadlock
                                              : FindingKind::kDeadlock,
                           now_ns_);
    finding_.confidence = deadlock_.confidence;
    finding_.evidence = deadlock_.evidence;
    for (uint32_t i : deadlock_.core) AddThread(i, FindingThread::Role::kInCycle);
    const size_t told = std::min(deadlock_.behind.size(), kThreadsTold);
    for (size_t i = 0; i < told; ++i) {
      AddThread(deadlock_.behind[i], FindingThread::Role::kBehind);
    }
    switch (deadlock_.shape) {
      case Deadlock::Shape::kCycle: self ? TellSelf() : TellCycle(); break;
      case Deadlock::Shape::kOwnerGone: TellOwnerGone(); break;
      case Deadlock::Shape::kNobodyLeft: TellNobodyLeft(); break;
    }
    TellHandlers();
    if (!deadlock_.behind.empty()) {
      finding_.story.push_back(
          absl::StrCat(Counted(deadlock_.behind.size(), "more thread"),
                       deadlock_.behind.size() == 1 ? " is" : " are", " stuck behind."));
    }
    if (told < deadlock_.behind.size()) {
      finding_.evidence.push_back(absl::StrCat("only ", told, " of the ", deadlock_.behind.size(),
                                               " threads behind are listed"));
    }
    if (holds_left_out_ > 0) {
      finding_.evidence.push_back(absl::StrCat(Counted(holds_left_out_, "hold"),
                                               " that nobody waits for not listed"));
    }
    for (std::string& advice : DeadlockAdvice(model_, deadlock_, self)) {
      finding_.advice.push_back(std::move(advice));
    }
    return std::move(finding_);
  }

 private:
  const ModelNode& Node(size_t core) const { return model_.nodes[deadlock_.core[core]]; }

  // Of several processes, whose lock that is; 0 for one process.
  uint32_t ProcessOf(uint32_t i) const { return cast_ == nullptr ? 0 : cast_->process[i]; }
  const FindingParts& PartsOf(uint32_t i) const {
    return cast_ == nullptr ? lead_ : *cast_->parts[ProcessOf(i)];
  }

  // What all processes call the lock that node i's process calls `key`; empty: only it has it.
  SharedLockName SharedName(uint32_t i, LockKey key) const {
    if (cast_ == nullptr) return {};
    const auto found = cast_->names->find(JointKey(ProcessOf(i), key));
    return found == cast_->names->end() ? SharedLockName() : found->second;
  }

  bool SameLock(uint32_t i, LockKey a, uint32_t j, LockKey b) const {
    if (ProcessOf(i) == ProcessOf(j) && a == b) return true;
    const std::string name = SharedName(i, a).identity;
    return !name.empty() && name == SharedName(j, b).identity;
  }

  // Index into finding_.locks.
  size_t AddLock(uint32_t i, LockKey key) {
    if (cast_ == nullptr) return lead_.AddLock(&finding_, key);
    for (const auto& [node, known, index] : joint_locks_) {
      if (SameLock(i, key, node, known)) return index;
    }
    FindingLock lock = PartsOf(i).Lock(key);
    const SharedLockName name = SharedName(i, key);
    lock.shared = name.identity;
    const int pid = cast_->pids[ProcessOf(i)];
    if (!name.label.empty()) {
      lock.label = name.label;
    } else if (pid != static_cast<int>(finding_.pid)) {
      absl::StrAppend(&lock.label, " of pid ", pid);
    }
    // Processes number their locks each for itself.
    const auto taken = [&] {
      return std::any_of(finding_.locks.begin(), finding_.locks.end(),
                         [&](const FindingLock& other) { return other.id == lock.id; });
    };
    while (taken()) lock.id += uint64_t{1} << 32;
    finding_.locks.push_back(std::move(lock));
    joint_locks_.push_back({i, key, finding_.locks.size() - 1});
    return finding_.locks.size() - 1;
  }

  void AddThread(uint32_t i, FindingThread::Role role) {
    const ModelNode& node = model_.nodes[i];
    if (node.thread == nullptr) return;
    FindingThread thread = PartsOf(i).Thread(*node.thread);
    if (Processes() > 1) thread.pid = static_cast<uint32_t>(cast_->pids[ProcessOf(i)]);
    thread.role = role;
    if (node.wait != nullptr) AddWait(i, &thread);
    AddHolds(i, &thread);
    finding_.threads.push_back(std::move(thread));
  }

  void AddWait(uint32_t i, FindingThread* thread) {
    const ModelNode& node = model_.nodes[i];
    const Wait& wait = *node.wait;
    thread->waits = true;
    // A thread that was told in an earlier finding was not resolved again.
    const Mode mode = node.mode == Mode::kNone ? wait.mode : node.mode;
    thread->waits_mode = ModeName(mode);
    thread->timed = wait.timed && !node.on_condition_mutex;
    thread->stack = PartsOf(i).Stack(wait.stack, wait.site);
    if (wait.since_ns != 0 && wait.since_ns < now_ns_) {
      thread->blocked_seconds = static_cast<double>(now_ns_ - wait.since_ns) / 1e9;
    }
    if (mode == Mode::kJoin) {
      if (!node.on.empty()) thread->joins_tid = model_.nodes[node.on[0]].tid;
    } else {
      thread->waits_for = AddLock(i, node.on_condition_mutex ? wait.mutex : wait.lock);
    }
  }

  void AddHolds(uint32_t i, FindingThread* thread) {
    const ModelNode& node = model_.nodes[i];
    for (const HeldLock& held : node.thread->held) {
      if (held.inherited) continue;
      // What somebody waits for is always told.
      if (thread->holds.size() >= kHoldsTold && !IsWanted(i, held.lock)) {
        ++holds_left_out_;
        continue;
      }
      thread->holds.push_back({AddLock(i, held.lock), ModeName(held.mode),
                               held.mode == Mode::kUnit,
                               PartsOf(i).Stack(held.stack, held.site)});
    }
    // Holds that only the lock word, or the kernel, knows of.
    std::set<size_t> added;
    for (uint32_t core : deadlock_.core) {
      const ModelNode& waiter = model_.nodes[core];
      for (const Holder& holder : waiter.holders) {
        if (holder.node != i || holder.hold != nullptr) continue;
        const size_t lock = AddLock(core, waiter.lock.key);
        if (!added.insert(lock).second) continue;
        thread->holds.push_back(
            {lock, ModeName(holder.named), false, TakenThrough(i, core, waiter.lock.key)});
      }
    }
  }

  // Where node i's process took the file lock that `waiter` wants, as far as it was recorded.
  StackTrace TakenThrough(uint32_t i, uint32_t waiter, LockKey lock) const {
    if (cast_ == nullptr) return {};
    const SharedLockName name = SharedName(waiter, lock);
    const auto held = name.descriptors.find(cast_->pids[ProcessOf(i)]);
    if (held == name.descriptors.end()) return {};
    for (uint64_t descriptor : held->second) {
      const uint32_t stack = PartsOf(i).reader().FileLockTaken(descriptor);
      if (stack != 0) return PartsOf(i).Stack(stack, 0);
    }
    return {};
  }

  bool IsWanted(uint32_t i, LockKey lock) const {
    return std::any_of(deadlock_.core.begin(), deadlock_.core.end(), [&](uint32_t core) {
      return SameLock(core, model_.nodes[core].lock.key, i, lock);
    });
  }

  // "waits for mutex 7 (wanted at f, x.cc:12)"
  std::string WaitText(const FindingThread& thread) const {
    if (thread.waits_mode == "join") {
      return absl::StrCat("waits", PlaceInBrackets("called", thread.stack), " for thread ",
                          thread.joins_tid, " to end");
    }
    const FindingLock& lock = finding_.locks[thread.waits_for];
    const char* how = "waits for ";
    if (thread.waits_mode == "signal") how = "waits for a signal on ";
    if (thread.waits_mode == "arrive") how = "waits for the others at ";
    if (thread.waits_mode == "unit") how = "waits for a unit of ";
    if (thread.waits_mode == "unowned") how = "waits on a ";
    if (lock.kind == "future" || lock.kind == "queue" || lock.kind == "event") how = "waits for ";
    if (lock.kind == "spinlock") how = "spins on ";
    if (lock.kind == "rwlock" || lock.kind == "shared_lock") {
      how = thread.waits_mode == "shared" ? "waits to read " : "waits to write ";
    }
    return absl::StrCat(how, lock.label, PlaceInBrackets("wanted", thread.stack));
  }

  const FindingHold* HoldOf(const FindingThread& thread, size_t lock) const {
    for (const FindingHold& hold : thread.holds) {
      if (hold.lock == lock) return &hold;
    }
    return nullptr;
  }

  void TellCycle() {
    const size_t count = finding_.threads.size();
    const size_t size = std::min(count, deadlock_.core.size());
    std::set<size_t> locks;
    for (size_t i = 0; i < size; ++i) {
      finding_.cycle.push_back(i);
      const FindingThread& thread = finding_.threads[i];
      if (thread.waits_mode != "join") locks.insert(thread.waits_for);
      TellLink(thread, finding_.threads[(i + size - 1) % size], finding_.threads[(i + 1) % size],
               deadlock_.core[i]);
    }
    finding_.headline = absl::StrCat(deadlock_.presumed ? "STALL: " : "DEADLOCK: ",
                                     Counted(size, "thread"));
    if (const size_t processes = Processes(); processes > 1) {
      absl::StrAppend(&finding_.headline, " of ", processes, " processes");
    }
    const bool helped = std::any_of(deadlock_.core.begin(), deadlock_.core.end(),
                                    [&](uint32_t i) { return ByHelpers(model_.nodes[i]); });
    if (!locks.empty()) {
      absl::StrAppend(&finding_.headline, ", ", Counted(locks.size(), helped ? "object" : "lock"));
    }
    if (deadlock_.presumed) {
      absl::StrAppend(&finding_.headline, ", stuck unless another thread ",
                      helped ? "steps in" : "posts");
    }
  }

  size_t Processes() const {
    std::set<uint32_t> processes;
    for (uint32_t i : deadlock_.core) processes.insert(ProcessOf(i));
    return processes.size();
  }

  // "Thread A holds X (taken at ...) and waits for Y (...), which thread B holds (...)."
  void TellLink(const FindingThread& thread, const FindingThread& previous,
                const FindingThread& next, uint32_t i) {
    std::string text = Capitalized(NameOf(thread));
    const bool wanted = previous.waits && previous.waits_mode != "join";
    if (const FindingHold* hold = wanted ? HoldOf(thread, previous.waits_for) : nullptr) {
      absl::StrAppend(&text, hold->inferred ? " took a unit of " : " holds ",
                      finding_.locks[hold->lock].label, PlaceInBrackets("taken", hold->stack),
                      " and");
    }
    absl::StrAppend(&text, " ", WaitText(thread), Arrivals(model_.nodes[i]));
    if (ByHelpers(model_.nodes[i])) {
      absl::StrAppend(&text, HelpersText(model_.nodes[i], NameOf(next)));
    } else if (thread.waits_mode != "join") {
      if (model_.nodes[i].behind_writer) {
        absl::StrAppend(&text, ", behind ", NameOf(next), ", which waits to write it");
      } else if (finding_.locks[thread.waits_for].kind == "future") {
        absl::StrAppend(&text, ", promised by ", NameOf(next));
      } else if (const FindingHold* hold = HoldOf(next, thread.waits_for)) {
        absl::StrAppend(&text, ", which ", NameOf(next), hold->inferred ? " took" : " holds",
                        PlaceInBrackets("taken", hold->stack));
      }
    }
    finding_.story.push_back(text + ".");
  }

  void TellSelf() {
    const FindingThread& thread = finding_.threads.front();
    finding_.cycle = {0};
    const std::string label = finding_.locks[thread.waits_for].label;
    finding_.headline = absl::StrCat("SELF-DEADLOCK: ", NameOf(thread), " waits for ", label,
                                     ", which it holds itself");
    const FindingHold* hold = HoldOf(thread, thread.waits_for);
    finding_.story.push_back(absl::StrCat(
        Capitalized(NameOf(thread)), " ", WaitText(thread), ", which it holds itself",
        hold == nullptr ? "" : PlaceInBrackets("taken", hold->stack),
        ": it can never release it."));
  }

  // Waits of the core that a signal handler is in.
  void TellHandlers() {
    bool any = false;
    for (uint32_t i : deadlock_.core) {
      const ModelNode& node = model_.nodes[i];
      if (node.wait == nullptr || !PartsOf(i).reader().IsInHandler(node.wait->stack)) continue;
      any = true;
      FindingThread thread = PartsOf(i).Thread(*node.thread);
      finding_.story.push_back(absl::StrCat(
          Capitalized(NameOf(thread)), " waits in the signal handler ",
          HandlerOf(PartsOf(i), node.wait->stack),
          ": what it has interrupted cannot go on before it returns."));
    }
    if (!any) return;
    finding_.advice.push_back("In a signal handler call only what is async-signal-safe: set a "
                              "flag, write to a pipe or post a semaphore, and do the work in a "
                              "thread; or block the signal wherever the lock is held.");
  }

  void TellOwnerGone() {
    const ModelNode& first = Node(0);
    const HeldLock* hold = first.holders.empty() ? nullptr : first.holders[0].hold;
    const std::string taken =
        hold == nullptr ? "" : PlaceInBrackets("taken", PartsOf(first.on[0]).Stack(hold->stack, hold->site));
    const std::string label = finding_.locks[finding_.threads.front().waits_for].label;
    const size_t waiters = finding_.threads.empty() ? 0 : deadlock_.core.size();
    finding_.headline =
        absl::StrCat("DEADLOCK: ", Counted(waiters, "thread"), waiters == 1 ? " waits" : " wait",
                     " for ", label, ", whose holder (tid ", model_.nodes[first.on[0]].tid,
                     ") has ended");
    for (const FindingThread& thread : finding_.threads) {
      if (thread.role != FindingThread::Role::kInCycle) continue;
      finding_.story.push_back(absl::StrCat(
          Capitalized(NameOf(thread)), " ", WaitText(thread), ", which thread ",
          model_.nodes[first.on[0]].tid, " held", taken,
          " when it ended: nobody is left to release it."));
    }
  }

  void TellNobodyLeft() {
    const size_t asleep = deadlock_.core.size() + deadlock_.behind.size();
    finding_.headline = absl::StrCat("DEADLOCK: ", Counted(asleep, "thread"),
                                     " asleep, nobody left to wake ", asleep == 1 ? "it" : "them");
    constexpr size_t kSentences = 8;
    for (size_t i = 0; i < std::min(kSentences, deadlock_.core.size()); ++i) {
      const FindingThread& thread = finding_.threads[i];
      finding_.story.push_back(
          absl::StrCat(Capitalized(NameOf(thread)), " ", WaitText(thread), Arrivals(Node(i)), "."));
    }
    if (deadlock_.core.size() > kSentences) {
      finding_.story.push_back(
          absl::StrCat("So do ", deadlock_.core.size() - kSentences, " more, in their ways."));
    }
    finding_.story.push_back("Every other thread is asleep, too, so nobody is left who could.");
    for (size_t i = 0; i < std::min(kSentences, deadlock_.core.size()); ++i) {
      if (finding_.threads[i].waits_mode != "signal") continue;
      const FindingLock& condition = finding_.locks[finding_.threads[i].waits_for];
      const std::string unheard =
          UnheardSignals(PartsOf(deadlock_.core[i]), Node(i).lock, condition.label);
      if (!unheard.empty() && finding_.evidence.back() != unheard) {
        finding_.evidence.push_back(unheard);
      }
    }
  }

  const FindingParts& lead_;
  const JointCast* cast_;
  const WaitModel& model_;
  const Deadlock& deadlock_;
  const uint64_t now_ns_;
  size_t holds_left_out_ = 0;
  struct JointLock {
    uint32_t node;  // of the process that calls it `key`
    LockKey key;
    size_t index;
  };
  std::vector<JointLock> joint_locks_;
  Finding finding_;
};

}  // namespace

Finding DeadlockFinding(const FindingParts& parts, const Detection& detection,
                        const Deadlock& deadlock, uint64_t now_ns) {
  return Teller(parts, nullptr, detection.model, deadlock, now_ns).Tell();
}

Finding JointDeadlockFinding(const JointCast& cast, const WaitModel& model,
                             const Deadlock& deadlock, uint64_t now_ns) {
  const FindingParts& lead = *cast.parts[cast.process[deadlock.core[0]]];
  return Teller(lead, &cast, model, deadlock, now_ns).Tell();
}

}  // namespace lockwarden
