// Builds a WaitModel; see the table in wait_model.h.
#include "watchdog/wait_model.h"

#include <algorithm>

#include "watchdog/thread_roster.h"

namespace lockwarden {
namespace {

using ledger::LockKind;
using ledger::Mode;
using ledger::ThreadState;
using Says = LockWord::Says;

constexpr uint32_t kNoNode = 0xffffffffu;

class Builder {
 public:
  Builder(const ModelInput& input, const Suspects* suspects)
      : in_(input),
        suspects_(suspects),
        roster_(input.kernel, input.snapshot->process.ledger_pid) {}

  WaitModel Build() {
    AddNodes();
    IndexHolders();
    // Joins look at whether their target still runs, so threads that are gone come first.
    for (uint32_t i = 0; i < model_.nodes.size(); ++i) MarkGone(i);
    const uint32_t threads = static_cast<uint32_t>(model_.nodes.size());
    for (uint32_t i = 0; i < threads; ++i) Resolve(i);
    AddOutsiders();
    return std::move(model_);
  }

 private:
  ModelNode& Node(uint32_t i) { return model_.nodes[i]; }
  bool asking() const { return suspects_ != nullptr; }

  void AddNodes() {
    for (const ThreadInfo& thread : in_.snapshot->threads) {
      if (thread.exempt) {
        exempt_tids_.insert(thread.tid);
        continue;
      }
      const uint32_t i = static_cast<uint32_t>(model_.nodes.size());
      ModelNode& node = model_.nodes.emplace_back();
      node.thread = &thread;
      node.tid = thread.tid;
      node.known = in_.known->contains(thread.slot);
      by_slot_[thread.slot] = i;
      if (thread.tid != 0) {
        auto [at, fresh] = by_tid_.try_emplace(thread.tid, i);
        if (!fresh && Node(at->second).thread->serial < thread.serial) at->second = i;
      }
      if (thread.state == ThreadState::kLive && !thread.torn && thread.pthread_self != 0) {
        // Two at one descriptor: one has ended unnoticed, and nothing tells which.
        const auto [twin, only] = by_descriptor_.try_emplace(thread.pthread_self, i);
        if (!only) twin->second = kNoNode;
      }
      if (!thread.torn && thread.state != ThreadState::kStarting && !thread.waits.empty()) {
        node.wait = &thread.waits.back();  // the innermost: the one it is blocked in
        waited_for_.insert(node.wait->lock);
        if (node.wait->mode == Mode::kSignal) waited_for_.insert(node.wait->mutex);
        if (node.wait->mode == Mode::kExclusive) writers_[node.wait->lock].push_back(i);
      }
    }
  }

  void IndexHolders() {
    if (waited_for_.empty()) return;
    for (uint32_t i = 0; i < model_.nodes.size(); ++i) {
      const ThreadInfo& thread = *Node(i).thread;
      if (thread.torn) continue;
      for (const HeldLock& held : thread.held) {
        if (!waited_for_.contains(held.lock)) continue;
        if (held.inherited) {
          inherited_.insert(held.lock);
        } else {
          holders_[held.lock].push_back({.node = i, .hold = &held});
        }
      }
    }
  }

  // A thread that has run its destructors may be gone: the kernel knows. The ledger
  // alone says "gone", which is the answer that hides nothing.
  void MarkGone(uint32_t i) {
    ModelNode& node = Node(i);
    if (node.known) {
      node.need = Need::kNever;
      return;
    }
    if (node.thread->state != ThreadState::kExiting || node.wait != nullptr || node.thread->torn) {
      return;
    }
    // A newer thread with the same tid: the kernel has given it to somebody else.
    const auto newest = by_tid_.find(node.tid);
    const bool replaced = newest != by_tid_.end() && newest->second != i;
    node.gone = replaced || !asking() || roster_.IsGone(node.tid);
    if (node.gone) node.need = Need::kNever;
  }

  void Resolve(uint32_t i) {
    if (Node(i).known || Node(i).wait == nullptr) return;
    std::optional<KernelThread> kernel;
    bool spun = false;
    if (asking()) {
      const auto suspect = suspects_->find(Node(i).thread->slot);
      if (suspect == suspects_->end()) return;
      kernel = in_.kernel->Thread(Node(i).tid);
      Node(i).context_switches = kernel->context_switches;
      Node(i).stayed_asleep = kernel->context_switches.has_value() &&
                              kernel->context_switches == suspect->second.context_switches;
      spun = Node(i).wait->spins != suspect->second.spins;
    }
    const Wait& wait = *Node(i).wait;
    Node(i).mode = wait.mode;
    if (wait.mode == Mode::kJoin) {
      ResolveJoin(i);
    } else if (wait.mode == Mode::kSignal) {
      ResolveCondition(i, kernel);
    } else if (!wait.timed) {
      Node(i).lock = in_.reader->Lock(wait.lock);
      ResolveLock(i);
    }
    if (kernel.has_value()) AskKernel(i, *kernel, spun);
  }

  void AskKernel(uint32_t i, const KernelThread& kernel, bool spun) {
    ModelNode& node = Node(i);
    if (node.need == Need::kNothing) return;
    ExpectedWait expected;
    if (node.mode == Mode::kJoin) {
      expected.join = true;
      expected.address = node.wait->peer;
      expected.joined_tid = Node(node.on[0]).tid;
    } else {
      expected.kind = node.lock.kind;
      expected.lock_flags = node.lock.flags;
      expected.address = AddressSleptOn(node.lock);
      expected.spun = spun;
    }
    node.kernel = CheckWait(kernel, expected);
    const bool asleep = node.kernel == KernelSays::kAgrees ||
                        node.kernel == KernelSays::kSpins ||
                        node.kernel == KernelSays::kAnnotated ||
                        (node.kernel == KernelSays::kAsleep && node.stayed_asleep);
    // Whoever waits for anybody may be woken from outside if the futex is not private.
    const bool from_outside = node.need == Need::kAnyone && kernel.syscall.has_value() &&
                              !SleepsInPrivate(kernel) &&
                              !in_.kernel->IsPrivate(kernel.syscall_args[0]);
    if (!asleep || from_outside) CanRun(node);
  }

  uint64_t AddressSleptOn(const LockInfo& lock) const {
    uint64_t address = lock.address;
    if ((lock.flags & ledger::kBehindPointer) != 0 &&
        !in_.kernel->ReadMemory(lock.address, &address, sizeof(address))) {
      return 0;
    }
    return address;
  }

  static void CanRun(ModelNode& node) {
    node.need = Need::kNothing;
    node.on.clear();
    node.holders.clear();
  }

  void ResolveJoin(uint32_t i) {
    const Wait& wait = *Node(i).wait;
    const uint32_t target = JoinedNode(wait);
    if (wait.timed || target == kNoNode || target == i || Node(target).gone) return;
    Node(i).need = Need::kAll;
    Node(i).on = {target};
  }

  // The slot may be another thread's by now: serial and descriptor must both be right.
  // A thread that was joined before it had a record is known by its descriptor only.
  uint32_t JoinedNode(const Wait& wait) const {
    if (wait.peer == 0) return kNoNode;
    if (wait.lock.index == ledger::kNoIndex) {
      const auto found = by_descriptor_.find(wait.peer);
      return found == by_descriptor_.end() ? kNoNode : found->second;
    }
    const auto found = by_slot_.find(wait.lock.index);
    if (found == by_slot_.end()) return kNoNode;
    const ThreadInfo& thread = *model_.nodes[found->second].thread;
    const bool same = !thread.torn && thread.pthread_self == wait.peer &&
                      (thread.serial & ledger::kGenerationMask) == wait.lock.generation;
    return same ? found->second : kNoNode;
  }

  void ResolveCondition(uint32_t i, const std::optional<KernelThread>& kernel) {
    const Wait& wait = *Node(i).wait;
    if (wait.mutex.index != ledger::kNoIndex) {
      const LockInfo mutex = in_.reader->Lock(wait.mutex);
      const bool on_mutex = kernel.has_value() && mutex.address != 0 &&
                            SleepsOnWord(*kernel, mutex.address);
      if (on_mutex || (!kernel.has_value() && HeldByAnother(i, wait.mutex))) {
        Node(i).lock = mutex;
        Node(i).mode = Mode::kExclusive;
        Node(i).on_condition_mutex = on_mutex;
        Node(i).optimistic = !on_mutex;
        return ResolveLock(i);
      }
    }
    if (wait.timed) return;
    Node(i).lock = in_.reader->Lock(wait.lock);
    WaitForAnyone(Node(i));
  }

  bool HeldByAnother(uint32_t i, LockKey lock) const {
    const auto found = holders_.find(lock);
    return found != holders_.end() &&
           std::any_of(found->second.begin(), found->second.end(),
                       [&](const Holder& holder) { return holder.node != i; });
  }

  void WaitForAnyone(ModelNode& node) const {
    if (!node.lock.alive || (node.lock.flags & ledger::kProcessShared) != 0) return;
    node.need = Need::kAnyone;
  }

  // A future may say whose promise it is.
  void ResolvePromised(uint32_t i) {
    const uint64_t peer = Node(i).wait->peer;
    const auto found = Node(i).lock.kind == LockKind::kFuture && peer != 0
                           ? by_slot_.find(ledger::IndexOf(peer))
                           : by_slot_.end();
    if (found == by_slot_.end()) return WaitForAnyone(Node(i));
    const ModelNode& promiser = Node(found->second);
    const bool same = !promiser.thread->torn && !promiser.gone &&
                      (promiser.thread->serial & ledger::kGenerationMask) ==
                          ledger::GenerationOf(peer);
    if (!same) return WaitForAnyone(Node(i));
    Node(i).need = Need::kAll;
    Node(i).on = {found->second};
  }

  void ResolveLock(uint32_t i) {
    ModelNode& node = Node(i);
    if (!node.lock.alive) return;
    if (node.lock.kind == LockKind::kSemaphore) return ResolveSemaphore(node);
    if (node.mode != Mode::kExclusive && node.mode != Mode::kShared &&
        node.mode != Mode::kUpgrade) {
      return ResolvePromised(i);
    }
    if (!HasOwner(node.lock.kind)) return;  // a file lock: not judged
    if (node.lock.foreign_releases != 0 || in_.handed_over->contains(node.lock.key) ||
        inherited_.contains(node.lock.key)) {
      return WaitForAnyone(node);
    }
    std::vector<Holder> writers, readers;
    uint64_t read_holds = 0;
    if (const auto found = holders_.find(node.lock.key); found != holders_.end()) {
      for (const Holder& holder : found->second) {
        if (holder.hold->mode != Mode::kShared) {
          writers.push_back(holder);
        } else {
          readers.push_back(holder);
          read_holds += uint64_t{1} + holder.hold->depth;
        }
      }
    }
    if (node.lock.kind == LockKind::kSharedLock) {
      return ResolveSharedLock(i, writers, readers, read_holds);
    }
    const bool recorded = !writers.empty() || (!readers.empty() && node.mode != Mode::kShared);
    if (asking() || !recorded) node.word = ReadLockWord(in_.kernel, node.lock);
    switch (node.word.says) {
      case Says::kNothing:
        if (!writers.empty() && !readers.empty()) return;
        if (!writers.empty()) return WaitForOwner(i, writers);
        return WaitBehindReaders(
            i, readers, (node.lock.flags & ledger::kPreferWriterNonrecursive) != 0);
      case Says::kOwned: return WaitForNamedOwner(i, writers);
      case Says::kHeld: return writers.empty() ? WaitForAnyone(node) : WaitForOwner(i, writers);
      case Says::kReaders:
        if (!writers.empty() || read_holds > node.word.readers) return;
        node.word_agrees = read_holds == node.word.readers;
        return WaitBehindReaders(i, readers, node.word.writer_preferred && node.word.writer_waits);
      default: return;  // free, or just taken: whatever the ledger says is not so now
    }
  }

  // Whoever writes, wants to write or may upgrade needs the seat; who has it and wants to write
  // waits for the readers; a reader waits for who has it and has closed the lock.
  void ResolveSharedLock(uint32_t i, const std::vector<Holder>& seats,
                         const std::vector<Holder>& readers, uint64_t read_holds) {
    ModelNode& node = Node(i);
    node.word = ReadLockWord(in_.kernel, node.lock);
    const LockWord& word = node.word;
    if (word.owner == 0 || (!word.closed && node.mode == Mode::kShared)) return;
    if (word.owner != node.tid) return WaitForSeat(i, seats);
    if (node.mode != Mode::kExclusive || !word.writer_waits || read_holds > word.readers) return;
    node.word_agrees = read_holds == word.readers;
    WaitBehindReaders(i, readers, /*writers_first=*/true);
  }

  void WaitForSeat(uint32_t i, const std::vector<Holder>& seats) {
    const auto writers = writers_.find(Node(i).lock.key);
    if (seats.empty() && writers != writers_.end()) {
      for (uint32_t writer : writers->second) {
        if (Node(writer).tid != Node(i).word.owner) continue;
        if (Node(writer).wait->timed) return;  // it may give up
        Node(i).need = Need::kAll;
        Node(i).on = {writer};
        Node(i).behind_writer = true;
        return;
      }
    }
    WaitForNamedOwner(i, seats);
  }

  void WaitForOwner(uint32_t i, const std::vector<Holder>& owners) {
    ModelNode& node = Node(i);
    for (const Holder& owner : owners) {
      if (owner.node != owners[0].node) return;  // two owners: one of them is not true
    }
    const bool recursive = (node.lock.flags & ledger::kRecursive) != 0 || node.word.recursive ||
                           node.lock.kind == LockKind::kRLock;
    if (owners[0].node == i && recursive) return;
    const bool robust = (node.lock.flags & ledger::kRobust) != 0 || node.word.robust;
    if (Node(owners[0].node).gone && robust) return;  // the kernel hands it on
    node.need = Need::kAll;
    node.on = {owners[0].node};
    node.holders = {owners[0]};
  }

  // The lock word names its owner.
  void WaitForNamedOwner(uint32_t i, const std::vector<Holder>& recorded) {
    const uint32_t owner = Node(i).word.owner;
    if (!recorded.empty()) {
      if (Node(recorded[0].node).tid != owner) return;  // contradicted
      Node(i).word_agrees = true;
      return WaitForOwner(i, recorded);
    }
    const LockWord& word = Node(i).word;  // if shared, perhaps with a pid namespace of its own
    if (word.shared && FindShared(in_.kernel->SharedMappings(), Node(i).lock.address)) return;
    const auto found = by_tid_.find(owner);
    if (found != by_tid_.end() && !Node(found->second).thread->torn) {
      return WaitForOwner(i, {{.node = found->second}});
    }
    if (word.robust || exempt_tids_.contains(owner)) return;
    if (asking()) {
      if (!roster_.IsGone(owner)) return;  // a thread that nobody recorded: it may run
      // It may have let go before it ended, and woken another waiter than this one.
      const LockWord now = ReadLockWord(in_.kernel, Node(i).lock);
      if (now.says != Says::kOwned || now.owner != owner) return;
    }
    if ((in_.snapshot->process.flags & ledger::kForkedChild) != 0) {
      return WaitForAnyone(Node(i));  // the parent's: a copy of the forking thread may free it
    }
    WaitForOwner(i, {{.node = GoneNode(owner)}});
  }

  void WaitBehindReaders(uint32_t i, const std::vector<Holder>& readers, bool writers_first) {
    ModelNode& node = Node(i);
    if (readers.empty()) return;
    if (node.mode != Mode::kShared) {
      node.need = Need::kAll;
      node.holders = readers;
      for (const Holder& reader : readers) node.on.push_back(reader.node);
      return;
    }
    if (!writers_first) return;
    const std::vector<uint32_t>& writers = writers_[node.lock.key];
    for (uint32_t writer : writers) {
      if (Node(writer).wait->timed) return;  // it may give up and let the reader in
    }
    if (writers.empty()) return;
    node.need = Need::kAny;
    node.on = writers;
    node.behind_writer = true;
  }

  void ResolveSemaphore(ModelNode& node) {
    if (asking()) {
      node.word = ReadLockWord(in_.kernel, node.lock);
      if (node.word.shared || node.word.says == Says::kUnits) return;
      node.word_agrees = node.word.says == Says::kNoUnits;
    }
    WaitForAnyone(node);
    const auto found = holders_.find(node.lock.key);
    if (node.need == Need::kNothing || found == holders_.end()) return;
    node.holders = found->second;
    node.lock_like = node.lock.own_releases >= 1 && node.lock.foreign_releases == 0 &&
                     node.holders.size() == 1 && node.holders[0].hold->depth == 0 &&
                     &Node(node.holders[0].node) != &node;
  }

  uint32_t GoneNode(uint32_t tid) {
    if (const auto found = gone_nodes_.find(tid); found != gone_nodes_.end()) return found->second;
    const uint32_t fresh = static_cast<uint32_t>(model_.nodes.size());
    ModelNode& node = model_.nodes.emplace_back();
    node.tid = tid;
    node.gone = true;
    node.need = Need::kNever;
    gone_nodes_[tid] = fresh;
    return fresh;
  }

  // "Anybody" includes threads that the ledger never heard of.
  void AddOutsiders() {
    if (!asking()) return;
    const bool asked_for =
        std::any_of(model_.nodes.begin(), model_.nodes.end(),
                    [](const ModelNode& node) { return node.need == Need::kAnyone; });
    if (!asked_for) return;
    absl::flat_hash_set<uint32_t> recorded;
    for (const auto& [tid, node] : by_tid_) recorded.insert(tid);
    if (roster_.HasOutsiders(recorded, exempt_tids_)) model_.nodes.emplace_back();
  }

  const ModelInput& in_;
  const Suspects* suspects_;  // null: built from the ledger alone
  WaitModel model_;
  absl::flat_hash_map<uint32_t, uint32_t> by_slot_, by_tid_, gone_nodes_;
  absl::flat_hash_map<uint64_t, uint32_t> by_descriptor_;  // pthread_t of live threads
  absl::flat_hash_set<uint32_t> exempt_tids_;
  absl::flat_hash_set<LockKey> waited_for_, inherited_;
  absl::flat_hash_map<LockKey, std::vector<Holder>> holders_;
  absl::flat_hash_map<LockKey, std::vector<uint32_t>> writers_;  // nodes that wait to write
  ThreadRoster roster_;
};

}  // namespace

WaitModel ModelFromLedger(const ModelInput& input) { return Builder(input, nullptr).Build(); }

WaitModel ModelFromWitnesses(const ModelInput& input, const Suspects& suspects) {
  return Builder(input, &suspects).Build();
}

}  // namespace lockwarden
