// Fills the maps of wait_index.h in two passes: what is waited for, then who holds that.
#include "watchdog/wait_index.h"

#include <algorithm>

namespace lockwarden {
namespace {

using ledger::Mode;
using ledger::ThreadState;

constexpr uint32_t kNoNode = 0xffffffffu;

bool IsHelpedAt(Mode mode) { return mode == Mode::kSignal || mode == Mode::kArrive; }

const std::vector<uint32_t>& Or(const absl::flat_hash_map<LockKey, std::vector<uint32_t>>& map,
                                LockKey key) {
  static const std::vector<uint32_t> nobody;
  const auto found = map.find(key);
  return found == map.end() ? nobody : found->second;
}

}  // namespace

WaitIndex::WaitIndex(const ModelInput& input, bool asking)
    : reader_(input.reader), roster_(input.kernel, input.snapshot->process.ledger_pid) {
  nodes_.reserve(input.snapshot->threads.size() + 1);
  for (const ThreadInfo& thread : input.snapshot->threads) {
    if (thread.exempt) {
      exempt_tids_.insert(thread.tid);
    } else {
      AddNode(thread, input.known->contains(thread.slot));
    }
  }
  threads_ = static_cast<uint32_t>(nodes_.size());
  if (!waited_for_.empty()) AddHolders();
  // Joins look at whether their target still runs, so threads that are gone come first.
  for (uint32_t i = 0; i < threads_; ++i) MarkGone(i, asking);
}

void WaitIndex::AddNode(const ThreadInfo& thread, bool known) {
  const uint32_t i = static_cast<uint32_t>(nodes_.size());
  ModelNode& node = nodes_.emplace_back();
  node.thread = &thread;
  node.tid = thread.tid;
  node.known = known;
  by_slot_[thread.slot] = i;
  if (thread.tid != 0) {
    auto [at, fresh] = by_tid_.try_emplace(thread.tid, i);
    if (!fresh && nodes_[at->second].thread->serial < thread.serial) at->second = i;
  }
  if (thread.state == ThreadState::kLive && !thread.torn && thread.pthread_self != 0) {
    // Two at one descriptor: one has ended unnoticed, and nothing tells which.
    const auto [twin, only] = by_descriptor_.try_emplace(thread.pthread_self, i);
    if (!only) twin->second = kNoNode;
  }
  if (thread.torn || thread.state == ThreadState::kStarting || thread.waits.empty()) return;
  node.wait = &thread.waits.back();  // the innermost: the one it is blocked in
  waited_for_.insert(node.wait->lock);
  if (node.wait->mode == Mode::kSignal) waited_for_.insert(node.wait->mutex);
  if (IsHelpedAt(node.wait->mode)) awaiting_[node.wait->lock].push_back(i);
  if (node.wait->mode == Mode::kExclusive) writers_[node.wait->lock].push_back(i);
}

void WaitIndex::AddHolders() {
  for (uint32_t i = 0; i < threads_; ++i) {
    const ThreadInfo& thread = *nodes_[i].thread;
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
void WaitIndex::MarkGone(uint32_t i, bool asking) {
  ModelNode& node = nodes_[i];
  if (node.known) {
    node.need = Need::kNever;
    return;
  }
  if (node.thread->state != ThreadState::kExiting || node.wait != nullptr || node.thread->torn) {
    return;
  }
  // A newer thread with the same tid: the kernel has given it to somebody else.
  const bool replaced = ByTid(node.tid).value_or(i) != i;
  node.gone = replaced || !asking || roster_.IsGone(node.tid);
  if (node.gone) node.need = Need::kNever;
}

// The slot may be another thread's by now: serial and descriptor must both be right.
// A thread that was joined before it had a record is known by its descriptor only.
std::optional<uint32_t> WaitIndex::Joined(const Wait& wait) const {
  if (wait.peer == 0) return std::nullopt;
  if (wait.lock.index == ledger::kNoIndex) {
    const auto found = by_descriptor_.find(wait.peer);
    if (found == by_descriptor_.end() || found->second == kNoNode) return std::nullopt;
    return found->second;
  }
  const auto found = by_slot_.find(wait.lock.index);
  if (found == by_slot_.end()) return std::nullopt;
  const ThreadInfo& thread = *nodes_[found->second].thread;
  const bool same = !thread.torn && thread.pthread_self == wait.peer &&
                    (thread.serial & ledger::kGenerationMask) == wait.lock.generation;
  if (!same) return std::nullopt;
  return found->second;
}

std::optional<uint32_t> WaitIndex::ByRef(ledger::PackedRef thread) const {
  const auto found = by_slot_.find(ledger::IndexOf(thread));
  if (found == by_slot_.end()) return std::nullopt;
  const ModelNode& node = nodes_[found->second];
  const bool same =
      !node.thread->torn && !node.gone &&
      (node.thread->serial & ledger::kGenerationMask) == ledger::GenerationOf(thread);
  return same ? std::optional(found->second) : std::nullopt;
}

std::optional<uint32_t> WaitIndex::ByTid(uint32_t tid) const {
  const auto found = by_tid_.find(tid);
  if (found == by_tid_.end()) return std::nullopt;
  return found->second;
}

const std::vector<Holder>& WaitIndex::HoldersOf(LockKey lock) const {
  static const std::vector<Holder> nobody;
  const auto found = holders_.find(lock);
  return found == holders_.end() ? nobody : found->second;
}

const std::vector<uint32_t>& WaitIndex::WritersOf(LockKey lock) const { return Or(writers_, lock); }

const std::vector<uint32_t>& WaitIndex::WaitersFor(LockKey object) const {
  return Or(awaiting_, object);
}

// Only what somebody waits for is looked at, and nothing at all while nobody waits so. The lists
// before the count: a thread that comes in between is one more than are listed.
void WaitIndex::AddHelpers() {
  helpers_added_ = true;
  for (uint32_t i = 0; i < threads_; ++i) {
    for (const LockKey key : reader_->HelpedBy(nodes_[i].thread->slot)) {
      if (awaiting_.contains(key)) helpers_[key].push_back(i);
    }
  }
}

const std::vector<uint32_t>& WaitIndex::HelpersOf(const LockInfo& object) {
  static const std::vector<uint32_t> nobody;
  if (!helpers_added_) AddHelpers();
  const std::vector<uint32_t>& helpers = Or(helpers_, object.key);
  const bool all = reader_->Lock(object.key).helpers == helpers.size();
  const bool alive = std::none_of(helpers.begin(), helpers.end(), [&](uint32_t helper) {
    const ModelNode& node = nodes_[helper];
    return node.gone || node.thread->torn || node.thread->state != ThreadState::kLive;
  });
  return all && alive ? helpers : nobody;
}

bool WaitIndex::HeldByAnother(uint32_t i, LockKey lock) const {
  const std::vector<Holder>& holders = HoldersOf(lock);
  return std::any_of(holders.begin(), holders.end(),
                     [&](const Holder& holder) { return holder.node != i; });
}

uint32_t WaitIndex::GoneNode(uint32_t tid) {
  const auto [at, fresh] = gone_nodes_.try_emplace(tid, static_cast<uint32_t>(nodes_.size()));
  if (!fresh) return at->second;
  ModelNode& node = nodes_.emplace_back();
  node.tid = tid;
  node.gone = true;
  node.need = Need::kNever;
  return at->second;
}

void WaitIndex::AddOutsiders() {
  absl::flat_hash_set<uint32_t> recorded;
  for (const auto& [tid, node] : by_tid_) recorded.insert(tid);
  if (roster_.HasOutsiders(recorded, exempt_tids_)) nodes_.emplace_back();
}

}  // namespace lockwarden
