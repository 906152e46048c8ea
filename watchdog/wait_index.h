// WaitIndex: the threads of a snapshot as nodes of a WaitModel, and where to find them: by
// slot, by tid, by descriptor; who holds what is waited for, and who waits to write it.
//
// Written and read by: whoever builds one model. Not thread-safe; points into the snapshot.
// Must never: index a hold of a torn record, or let two threads at one descriptor pass for
// one.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "watchdog/thread_roster.h"
#include "watchdog/wait_model.h"

namespace lockwarden {

class WaitIndex {
 public:
  // `asking`: who is gone is asked of the kernel, else the ledger alone says it.
  WaitIndex(const ModelInput& input, bool asking);

  ModelNode& Node(uint32_t i) { return nodes_[i]; }
  uint32_t threads() const { return threads_; }  // nodes of the snapshot's threads come first
  ThreadRoster& roster() { return roster_; }

  // The thread that is joined, if it is known for certain.
  std::optional<uint32_t> Joined(const Wait& wait) const;
  std::optional<uint32_t> ByTid(uint32_t tid) const;
  // A thread as a join names it: slot and serial. Not one that is gone, or torn.
  std::optional<uint32_t> ByRef(ledger::PackedRef thread) const;
  bool IsExempt(uint32_t tid) const { return exempt_tids_.contains(tid); }
  const std::vector<Holder>& HoldersOf(LockKey lock) const;
  const std::vector<uint32_t>& WritersOf(LockKey lock) const;  // that wait
  bool HeldByAnother(uint32_t i, LockKey lock) const;
  // Who was seen to help at it, and who waits for it in this moment. Nobody, if there are more
  // helpers than can be named, or one has ended.
  const std::vector<uint32_t>& HelpersOf(const LockInfo& object);
  const std::vector<uint32_t>& WaitersFor(LockKey object) const;
  // By the parent's thread at fork.
  bool IsInherited(LockKey lock) const { return inherited_.contains(lock); }
  // A node for an owner that has ended; the same one for the same tid.
  uint32_t GoneNode(uint32_t tid);
  // One that can run stands for all threads that the ledger never heard of, if there is any.
  void AddOutsiders();

  std::vector<ModelNode> TakeNodes() { return std::move(nodes_); }

 private:
  void AddNode(const ThreadInfo& thread, bool known);
  void AddHolders();
  void MarkGone(uint32_t i, bool asking);
  void AddHelpers();

  const LedgerReader* reader_;

  std::vector<ModelNode> nodes_;
  uint32_t threads_ = 0;
  absl::flat_hash_map<uint32_t, uint32_t> by_slot_, by_tid_, gone_nodes_;
  absl::flat_hash_map<uint64_t, uint32_t> by_descriptor_;  // pthread_t of live threads
  absl::flat_hash_set<uint32_t> exempt_tids_;
  absl::flat_hash_set<LockKey> waited_for_, inherited_;
  absl::flat_hash_map<LockKey, std::vector<Holder>> holders_;
  absl::flat_hash_map<LockKey, std::vector<uint32_t>> writers_, awaiting_, helpers_;
  bool helpers_added_ = false;
  ThreadRoster roster_;
};

}  // namespace lockwarden
