// Builds a WaitModel; see the table in wait_model.h. Here: whose wait is looked at, joins,
// conditions, and what the kernel says; locks are in lock_requirement.h.
#include "watchdog/wait_model.h"

#include <algorithm>

#include "watchdog/lock_requirement.h"
#include "watchdog/wait_index.h"

namespace lockwarden {
namespace {

using ledger::Mode;

class Builder {
 public:
  Builder(const ModelInput& input, const Suspects* suspects)
      : in_(input), suspects_(suspects), index_(input, asking()), lock_(input, asking(), &index_) {}

  WaitModel Build() {
    bool anyone = false;
    for (uint32_t i = 0; i < index_.threads(); ++i) {
      Resolve(i);
      anyone |= Node(i).need == Need::kAnyone;
    }
    if (asking() && anyone) index_.AddOutsiders();
    return {.nodes = index_.TakeNodes(), .rests_on_words = lock_.read_words()};
  }

 private:
  ModelNode& Node(uint32_t i) { return index_.Node(i); }
  bool asking() const { return suspects_ != nullptr; }

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
      lock_.Resolve(i);
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
    node.helpers.clear();
  }

  void ResolveJoin(uint32_t i) {
    const Wait& wait = *Node(i).wait;
    const std::optional<uint32_t> target = index_.Joined(wait);
    if (wait.timed || !target.has_value() || *target == i || Node(*target).gone) return;
    Node(i).need = Need::kAll;
    Node(i).on = {*target};
  }

  void ResolveCondition(uint32_t i, const std::optional<KernelThread>& kernel) {
    const Wait& wait = *Node(i).wait;
    if (wait.mutex.index != ledger::kNoIndex) {
      const LockInfo mutex = in_.reader->Lock(wait.mutex);
      const bool on_mutex = kernel.has_value() && mutex.address != 0 &&
                            SleepsOnWord(*kernel, mutex.address);
      if (on_mutex || (!kernel.has_value() && index_.HeldByAnother(i, wait.mutex))) {
        Node(i).lock = mutex;
        Node(i).mode = Mode::kExclusive;
        Node(i).on_condition_mutex = on_mutex;
        Node(i).optimistic = !on_mutex;
        return lock_.Resolve(i);
      }
    }
    if (wait.timed) return;
    Node(i).lock = in_.reader->Lock(wait.lock);
    lock_.WaitForHelpers(i);
  }

  const ModelInput& in_;
  const Suspects* suspects_;  // null: built from the ledger alone
  WaitIndex index_;
  LockRequirement lock_;
};

}  // namespace

WaitModel ModelFromLedger(const ModelInput& input) { return Builder(input, nullptr).Build(); }

WaitModel ModelFromWitnesses(const ModelInput& input, const Suspects& suspects) {
  return Builder(input, &suspects).Build();
}

}  // namespace lockwarden
