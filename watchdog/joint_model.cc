// Builds a JointModel; see the table in joint_model.h.
#include "watchdog/joint_model.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "watchdog/deadlock_grade.h"
#include "watchdog/finding_parts.h"
#include "watchdog/thread_roster.h"

namespace lockwarden {
namespace {

using ledger::LockKind;
using ledger::Mode;
using Says = LockWord::Says;

bool HasWord(LockKind kind) { return kind == LockKind::kMutex || kind == LockKind::kRwLock; }

bool MayBeShared(const LockInfo& lock) {
  return lock.kind == LockKind::kSemaphore || lock.kind == LockKind::kFileLock ||
         (HasWord(lock.kind) && (lock.flags & ledger::kProcessShared) != 0);
}

class Builder {
 public:
  Builder(const JointInput& input, const std::vector<Suspects>* suspects)
      : in_(input), processes_(*input.processes), suspects_(suspects) {}

  JointModel Build() {
    for (uint32_t p = 0; p < processes_.size(); ++p) AddProcess(p);
    const uint32_t count = static_cast<uint32_t>(out_.model.nodes.size());
    for (uint32_t i = 0; i < count; ++i) FindWanted(i);
    if (!wanted_.empty()) IndexHolders();
    for (const auto& [node, id] : shared_waits_) Resolve(node, id);
    for (uint32_t i = 0; i < count; ++i) {
      if (Candidate(i) && Node(i).lock.kind == LockKind::kFileLock) ResolveFile(i);
    }
    out_.process.resize(out_.model.nodes.size(), kNoProcess);
    return std::move(out_);
  }

 private:
  struct Process {
    uint32_t begin = 0, end = 0;  // its nodes
    std::optional<std::vector<SharedMapping>> mappings;
  };

  ModelNode& Node(uint32_t i) { return out_.model.nodes[i]; }
  bool asking() const { return suspects_ != nullptr; }
  const JudgedProcess& Of(uint32_t i) const { return processes_[out_.process[i]]; }

  void AddProcess(uint32_t p) {
    const JudgedProcess& process = processes_[p];
    const ModelInput input{.snapshot = process.snapshot, .reader = process.reader,
                           .kernel = process.kernel, .handed_over = process.handed_over,
                           .known = &in_.known[p]};
    WaitModel own =
        asking() ? ModelFromWitnesses(input, (*suspects_)[p]) : ModelFromLedger(input);
    const uint32_t base = static_cast<uint32_t>(out_.model.nodes.size());
    for (ModelNode& node : own.nodes) {
      for (uint32_t& on : node.on) on += base;
      for (Holder& holder : node.holders) holder.node += base;
      node.helpers.clear();  // of one process each: its own detector's
      out_.model.nodes.push_back(std::move(node));
      out_.process.push_back(p);
    }
    spans_.push_back({base, static_cast<uint32_t>(out_.model.nodes.size()), std::nullopt});
  }

  // A thread whose wait is to be resolved here.
  bool Candidate(uint32_t i) {
    const ModelNode& node = Node(i);
    if (node.thread == nullptr || node.wait == nullptr || node.known) return false;
    if (node.wait->timed && !node.on_condition_mutex && node.wait->mode != Mode::kSignal) {
      return false;
    }
    return !asking() || (*suspects_)[out_.process[i]].contains(node.thread->slot);
  }

  // What it waits for, if that lies in shared memory.
  void FindWanted(uint32_t i) {
    if (!Candidate(i)) return;
    ModelNode& node = Node(i);
    LockKey key = node.wait->lock;
    if (node.wait->mode == Mode::kSignal) {
      // It may sit on its mutex, which it then waits for; the kernel knows.
      if (node.wait->mutex.index == ledger::kNoIndex) return;
      if (asking() && !node.on_condition_mutex) return;
      key = node.wait->mutex;
    } else if (node.wait->mode == Mode::kJoin || node.wait->timed) {
      return;
    }
    const LockInfo lock = Of(i).reader->Lock(key);
    if (!lock.alive || !MayBeShared(lock)) return;
    if (lock.kind == LockKind::kFileLock) {
      node.lock = lock;
      node.mode = node.wait->mode;
      return;
    }
    const std::optional<SharedId> id = IdentityOf(out_.process[i], lock);
    if (!id.has_value()) return;
    wanted_.insert(*id);
    shared_waits_.push_back({i, *id});
    node.lock = lock;
    node.mode = node.wait->mode == Mode::kSignal ? Mode::kExclusive : node.wait->mode;
    node.optimistic = node.wait->mode == Mode::kSignal && !node.on_condition_mutex;
    if (node.mode == Mode::kExclusive) writers_[*id].push_back(i);
  }

  std::optional<SharedId> IdentityOf(uint32_t p, const LockInfo& lock) {
    std::optional<std::vector<SharedMapping>>& mappings = spans_[p].mappings;
    if (!mappings.has_value()) mappings = processes_[p].kernel->SharedMappings();
    const std::optional<SharedId> id = FindShared(*mappings, lock.address);
    if (id.has_value()) {
      out_.names[{p, lock.key}] = {SharedName(*id),
                                   absl::StrCat("shared ", LockKindName(lock.kind), " ",
                                                lock.serial),
                                   {}};
    }
    return id;
  }

  void IndexHolders() {
    absl::flat_hash_map<JointKey, std::optional<SharedId>> ids;
    for (uint32_t i = 0; i < out_.model.nodes.size(); ++i) {
      const ThreadInfo* thread = Node(i).thread;
      if (thread == nullptr || thread->torn) continue;
      const uint32_t p = out_.process[i];
      for (const HeldLock& held : thread->held) {
        if (held.inherited) continue;
        const auto [known, fresh] = ids.try_emplace({p, held.lock});
        if (fresh) {
          const LockInfo lock = processes_[p].reader->Lock(held.lock);
          if (lock.alive && MayBeShared(lock) && lock.kind != LockKind::kFileLock) {
            known->second = IdentityOf(p, lock);
          }
          if (known->second.has_value() && WasHandedOver(p, lock)) {
            handed_over_.insert(*known->second);
          }
        }
        if (known->second.has_value() && wanted_.contains(*known->second)) {
          holders_[*known->second].push_back({.node = i, .hold = &held});
        }
      }
    }
  }

  // Released by a thread that did not own it, or was not known to have a unit: then anybody
  // might again.
  bool WasHandedOver(uint32_t p, const LockInfo& lock) const {
    return lock.foreign_releases != 0 || processes_[p].handed_over->contains(lock.key);
  }

  static void CanRun(ModelNode& node) {
    node.need = Need::kNothing;
    node.on.clear();
    node.holders.clear();
  }

  void Resolve(uint32_t i, const SharedId& id) {
    ModelNode& node = Node(i);
    CanRun(node);
    node.word_agrees = node.behind_writer = node.lock_like = false;
    if (handed_over_.contains(id) || WasHandedOver(out_.process[i], node.lock)) return;
    node.word = ReadLockWord(Of(i).kernel, node.lock);
    if (node.lock.kind == LockKind::kSemaphore) {
      ResolveSemaphore(i, id);
    } else {
      ResolveOwned(i, id);
    }
    if (asking() && Node(i).need != Need::kNothing) AskKernel(i);
  }

  void ResolveOwned(uint32_t i, const SharedId& id) {
    std::vector<Holder> writers, readers;
    uint64_t read_holds = 0;
    for (const Holder& holder : holders_[id]) {
      if (holder.hold->mode == Mode::kExclusive) {
        writers.push_back(holder);
      } else {
        readers.push_back(holder);
        read_holds += uint64_t{1} + holder.hold->depth;
      }
    }
    ModelNode& node = Node(i);
    switch (node.word.says) {
      case Says::kOwned: return WaitForOwner(i, id, writers);
      case Says::kReaders:
        if (!writers.empty() || readers.empty() || read_holds > node.word.readers) return;
        node.word_agrees = read_holds == node.word.readers;
        return WaitBehindReaders(i, id, readers);
      default: return;  // free, just taken, or not readable: a guess is not enough here
    }
  }

  void WaitForOwner(uint32_t i, const SharedId& id, const std::vector<Holder>& writers) {
    ModelNode& node = Node(i);
    if (writers.size() > 1) return;  // one of them is not true
    if (writers.empty()) return WaitForEnded(i, id);
    const Holder& owner = writers[0];
    if (Node(owner.node).tid != node.word.owner) return;  // contradicted
    if (owner.node == i && node.word.recursive) return;
    if (Node(owner.node).gone && node.word.robust) return;  // the kernel hands it on
    node.word_agrees = true;
    node.need = Need::kAll;
    node.on = {owner.node};
    node.holders = {owner};
  }

  // The word names a thread that none of these processes has. Only if nobody has it, and a
  // process that ended took it with it, is it known that it is not somebody outside.
  void WaitForEnded(uint32_t i, const SharedId& id) {
    const LockWord& word = Node(i).word;
    const JudgedProcess& process = Of(i);
    const bool same_namespace = process.snapshot->process.ledger_pid ==
                                static_cast<uint32_t>(process.pid);
    if (word.robust || !same_namespace || in_.ended == nullptr ||
        !in_.ended->contains(word.owner) || !process.kernel->NobodyHas(word.owner)) {
      const bool here = std::any_of(out_.model.nodes.begin(), out_.model.nodes.end(),
                                    [&](const ModelNode& n) { return n.tid == word.owner; });
      if (same_namespace && !here) out_.outside[i] = {{}, word.owner, id};
      return;
    }
    const uint32_t gone = static_cast<uint32_t>(out_.model.nodes.size());
    ModelNode& ended = out_.model.nodes.emplace_back();
    out_.process.push_back(kNoProcess);
    ended.tid = Node(i).word.owner;
    ended.gone = true;
    ended.need = Need::kNever;
    Node(i).need = Need::kAll;
    Node(i).on = {gone};
    Node(i).holders = {{.node = gone}};
  }

  void WaitBehindReaders(uint32_t i, const SharedId& id, const std::vector<Holder>& readers) {
    ModelNode& node = Node(i);
    if (node.mode == Mode::kExclusive) {
      node.need = Need::kAll;
      node.holders = readers;
      for (const Holder& reader : readers) node.on.push_back(reader.node);
      return;
    }
    const std::vector<uint32_t>& writers = writers_[id];
    if (!node.word.writer_preferred || !node.word.writer_waits || writers.empty()) return;
    node.need = Need::kAny;
    node.on = writers;
    node.behind_writer = true;
  }

  void ResolveSemaphore(uint32_t i, const SharedId& id) {
    ModelNode& node = Node(i);
    if (!node.word.shared || node.word.says != Says::kNoUnits) return;
    node.word_agrees = true;
    node.need = Need::kAnyone;
    node.holders = holders_[id];
    if (node.holders.size() != 1 || node.holders[0].node == i) return;
    const Holder& holder = node.holders[0];
    const LockInfo theirs = Of(holder.node).reader->Lock(holder.hold->lock);
    node.lock_like = theirs.own_releases >= 1 && holder.hold->depth == 0;
    if (!node.lock_like || !asking()) return;
    if (HandlersRunByThemselves(Of(i).kernel)) node.lock_like = false;
    absl::flat_hash_set<int> pids;
    for (const JudgedProcess& process : processes_) pids.insert(process.pid);
    if (MappedElsewhere(id, pids)) node.lock_like = false;  // it could be posted from there
  }

  void AskKernel(uint32_t i) {
    ModelNode& node = Node(i);
    const KernelThread thread = Of(i).kernel->Thread(node.tid);
    node.kernel = CheckWait(thread, {.kind = node.lock.kind, .lock_flags = node.lock.flags,
                                     .address = node.lock.address});
    const bool asleep = node.kernel == KernelSays::kAgrees ||
                        (node.kernel == KernelSays::kAsleep && node.stayed_asleep);
    if (!asleep) CanRun(node);
  }

  void ResolveFile(uint32_t i) {
    if (!asking()) {  // by itself for ever, as far as is known
      Node(i).need = Need::kAll;
      Node(i).on = {i};
      return;
    }
    const JudgedProcess& process = Of(i);
    const std::optional<uint64_t> caught = process.kernel->CaughtSignals();
    // A handler ends a wait for a file, and many a program has one for just that: an alarm is
    // its time limit.
    if (!Node(i).stayed_asleep || !caught.has_value()) return;
    if (HandlersRunByThemselves(process.kernel)) return;
    const KernelThread thread = process.kernel->Thread(Node(i).tid);
    const std::optional<FileLockWait> wait = in_.files->Ask(process.pid, thread, process.kernel);
    const uint64_t fd = Node(i).lock.address & 0xffffffffu;
    if (!wait.has_value() || (thread.syscall_args[0] & 0xffffffffu) != fd) return;
    std::vector<uint32_t> needs;
    for (const HeldFileLock& held : wait->conflicting) {
      std::optional<std::vector<uint32_t>> able = ThreadsThatCouldRelease(held);
      if (!able.has_value()) {  // somebody outside can
        NoteOutside(i, held, *wait);
        continue;
      }
      for (uint32_t node : *able) {
        Node(i).holders.push_back(
            {.node = node, .named = held.lock.exclusive ? Mode::kExclusive : Mode::kShared});
      }
      // A node that stands for the lock: nobody's thread, released by any of them.
      needs.push_back(static_cast<uint32_t>(out_.model.nodes.size()));
      ModelNode& lock = out_.model.nodes.emplace_back();
      out_.process.push_back(kNoProcess);
      lock.need = Need::kAny;
      lock.on = *std::move(able);
    }
    if (needs.empty()) return;
    ModelNode& node = Node(i);
    node.need = Need::kAll;
    node.on = std::move(needs);
    node.kernel = KernelSays::kAgrees;
    node.word_agrees = true;
    node.mode = wait->wanted.exclusive ? Mode::kExclusive : Mode::kShared;
    out_.complete &= wait->complete;
    out_.breakable |= WakingSignals(*caught) != 0;
    SharedLockName& name = out_.names[{out_.process[i], node.lock.key}];
    name = {wait->identity, absl::StrCat("the file lock on ", wait->path), {}};
    for (const HeldFileLock& held : wait->conflicting) {
      for (const auto& [pid, descriptors] : held.descriptors) {
        name.descriptors[pid].insert(descriptors.begin(), descriptors.end());
      }
    }
  }

  void NoteOutside(uint32_t i, const HeldFileLock& held, const FileLockWait& wait) {
    for (int pid : held.holders) {
      const bool here = std::any_of(processes_.begin(), processes_.end(),
                                    [&](const JudgedProcess& p) { return p.pid == pid; });
      if (!here) out_.outside[i].pids.insert(pid);
    }
    out_.names[{out_.process[i], Node(i).lock.key}] = {
        wait.identity, absl::StrCat("the file lock on ", wait.path), {}};
  }

  // nullopt: a thread that is not judged here could release it as well.
  std::optional<std::vector<uint32_t>> ThreadsThatCouldRelease(const HeldFileLock& held) {
    std::vector<uint32_t> nodes;
    for (int pid : held.holders) {
      const auto process = std::find_if(processes_.begin(), processes_.end(),
                                        [&](const JudgedProcess& p) { return p.pid == pid; });
      if (process == processes_.end()) return std::nullopt;
      const Process& span = spans_[static_cast<size_t>(process - processes_.begin())];
      absl::flat_hash_set<uint32_t> recorded, exempt;
      for (uint32_t i = span.begin; i < span.end; ++i) {
        if (Node(i).thread == nullptr || Node(i).gone) continue;
        recorded.insert(Node(i).tid);
        nodes.push_back(i);
      }
      ThreadRoster roster(process->kernel, process->snapshot->process.ledger_pid);
      if (roster.HasOutsiders(recorded, exempt)) return std::nullopt;
    }
    return nodes;
  }

  const JointInput& in_;
  const std::vector<JudgedProcess>& processes_;
  const std::vector<Suspects>* suspects_;  // null: built from the ledgers alone
  JointModel out_;
  std::vector<Process> spans_;
  absl::flat_hash_set<SharedId> wanted_;
  std::vector<std::pair<uint32_t, SharedId>> shared_waits_;
  absl::flat_hash_map<SharedId, std::vector<Holder>> holders_;
  absl::flat_hash_map<SharedId, std::vector<uint32_t>> writers_;
  absl::flat_hash_set<SharedId> handed_over_;
};

}  // namespace

bool WaitsForShared(const JudgedProcess& process, const ThreadInfo& thread,
                    SharedSemaphores* semaphores) {
  if (thread.torn || thread.exempt || thread.waits.empty()) return false;
  const Wait& wait = thread.waits.back();
  if (wait.mode == Mode::kJoin) return false;
  if (wait.mode == Mode::kSignal) {
    return wait.mutex.index != ledger::kNoIndex && MayBeShared(process.reader->Lock(wait.mutex));
  }
  if (wait.timed) return false;
  const LockInfo lock = process.reader->Lock(wait.lock);
  if (lock.kind != LockKind::kSemaphore) return MayBeShared(lock);
  const auto [known, fresh] = semaphores->try_emplace({process.pid, wait.lock});
  if (fresh) known->second = ReadLockWord(process.kernel, lock).shared;
  return known->second;
}

JointModel JointFromLedgers(const JointInput& input) { return Builder(input, nullptr).Build(); }

JointModel JointFromWitnesses(const JointInput& input, const std::vector<Suspects>& suspects) {
  return Builder(input, &suspects).Build();
}

}  // namespace lockwarden
