// Who may be a victim, and what it is told.
#include "runtime/deadlock_policy.h"

#include <cstdio>
#include <utility>

#include "runtime/cycle.h"

namespace lockwarden {
inline namespace v1 {
namespace internal {
namespace {

std::atomic<DeadlockPolicy> process_policy{DeadlockPolicy::kDefault};

thread_local bool never_a_victim = false;

bool MayBreak(const LockIdentity& wanted) {
  if (never_a_victim) return false;
  const LockTraits* const traits = TraitsOf(*wanted.id, wanted.name);
  const LockClass* const lock_class = traits == nullptr ? nullptr : traits->lock_class();
  const DeadlockPolicy own =
      lock_class == nullptr ? DeadlockPolicy::kDefault : lock_class->deadlock_policy();
  return (own != DeadlockPolicy::kDefault ? own : deadlock_policy()) == DeadlockPolicy::kThrow;
}

const char* KindName(LockKind kind) {
  switch (kind) {
    case LockKind::kMutex:
      return "mutex";
    case LockKind::kRLock:
      return "rlock";
    case LockKind::kSharedLock:
      return "shared_lock";
    default:
      return "lock";
  }
}

DeadlockLink LinkOf(const ledger::CycleLink& seen) {
  DeadlockLink link;
  link.thread = seen.tid;
  link.thread_name = seen.thread_name;
  link.wait_site = reinterpret_cast<const void*>(seen.wait_site);
  link.hold_site = reinterpret_cast<const void*>(seen.hold_site);
  if (seen.kind == LockKind::kNone) return link;
  link.lock = seen.lock;
  link.lock_name = seen.lock_name[0] != '\0'
                       ? std::string(seen.lock_name)
                       : KindName(seen.kind) + (" " + std::to_string(seen.lock_serial));
  return link;
}

[[noreturn]] void ThrowBroken(const ledger::Cycle& cycle) {
  std::vector<DeadlockLink> links;
  for (uint32_t i = 0; i < cycle.length && i < ledger::Cycle::kLinks; ++i) {
    links.push_back(LinkOf(cycle.links[i]));
  }
  throw DeadlockError(cycle.length, std::move(links));
}

}  // namespace

std::atomic<bool> victims_are_chosen{false};

void BeginToChooseVictims() {
  victims_are_chosen.store(true, std::memory_order_relaxed);  // a switch; see AcquireChecked
}

LockAnswer AcquireMayBreak(const LockIdentity& wanted, Mode mode, uint64_t site, uint64_t cfa) {
  if (!MayBreak(wanted)) return LockAnswer::kNotRecorded;
  ledger::Cycle cycle;
  const uint32_t how = How(static_cast<LockKind>(wanted.kind), mode);
  const LockAnswer answer =
      ledger::TheRecorder()->acquire_or_break(wanted.lock, how, site, cfa, wanted.name, &cycle);
  if (answer == LockAnswer::kDeadlock) ThrowBroken(cycle);
  if (answer != LockAnswer::kNotRecorded && !ledger::CanRecordNow(*ledger::linked_thread)) {
    ledger::LearnThread();
  }
  return answer;
}

LockAnswer RaiseMayBreak(const LockIdentity& lock, uint32_t how, uint64_t site, uint64_t cfa) {
  // Relaxed: a switch.
  if (!victims_are_chosen.load(std::memory_order_relaxed) || !MayBreak(lock)) {
    return LockAnswer::kNotRecorded;
  }
  ledger::Cycle cycle;
  const LockAnswer answer =
      ledger::TheRecorder()->convert(lock.lock, how, site, cfa, nullptr, &cycle);
  if (answer == LockAnswer::kDeadlock) ThrowBroken(cycle);
  return answer;
}

NeverAVictim::NeverAVictim() noexcept : before_(std::exchange(never_a_victim, true)) {}
NeverAVictim::~NeverAVictim() { never_a_victim = before_; }

}  // namespace internal

void set_deadlock_policy(DeadlockPolicy policy) noexcept {
  internal::process_policy.store(policy, std::memory_order_relaxed);  // a switch
  if (policy == DeadlockPolicy::kThrow) internal::BeginToChooseVictims();
}
DeadlockPolicy deadlock_policy() noexcept {
  return internal::process_policy.load(std::memory_order_relaxed);  // a switch
}

DeadlockError::DeadlockError(size_t threads, std::vector<DeadlockLink> links) {
  std::string text = "lockwarden: broken a deadlock of " + std::to_string(threads) + " threads";
  const char* between = ": ";
  for (const DeadlockLink& link : links) {
    text += between + ("thread " + std::to_string(link.thread));
    if (!link.thread_name.empty()) text += " '" + link.thread_name + "'";
    text += link.lock == nullptr ? " joins the next" : " waits for \"" + link.lock_name + "\"";
    between = ", which is held while ";
    if (link.lock == nullptr) between = ", while ";
  }
  if (links.size() < threads) text += ", and so on";
  details_ = std::make_shared<const Details>(Details{threads, std::move(links), std::move(text)});
}

}  // namespace v1
}  // namespace lockwarden
