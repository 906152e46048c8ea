// DeadlockDetector: the double collect, and the three witnesses, over time.
//
//   first sight   the ledger alone says that a thread may be stuck: its record is kept
//   settled       at least confirm_after later its record has not changed in anything:
//                 counters, waits, holds
//   asked         lock words and kernel are asked about every settled thread; whom they
//                 contradict can run; what the reduction then leaves over is deadlocked
//   read again    and all of them still have the record of the first sight
//
// Why this is enough: the record of each thread found stuck is the same at the first
// sight, after it, and after the witnesses were asked. A thread pushes a hold only after
// the acquire returned and pops it before the release begins, so it held through that
// whole span what the record says; and the kernel saw it asleep, within that span, in
// the wait that the record names. So there is a moment at which all of them wait for
// each other, and the property is stable. "Anybody" could also have been woken by a
// signal handler between two looks; there the context switches must stand still too,
// so that all of them slept through one common span.
//
// A look after which no record has moved need not be made again: it would say the same. But if
// it rests on lock words, which move without a record, it is made once in a second, and while
// suspects that the witnesses do not confirm stay as they are, less and less often.
//
// Written and read by: the judge's thread. Must never: say deadlock where any witness
// contradicts.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "watchdog/finding.h"
#include "watchdog/wait_model.h"

namespace lockwarden {

// One deadlock, in terms of a model's nodes.
struct Deadlock {
  enum class Shape {
    kCycle,       // `core` in waiting order; one node: it waits for itself
    kOwnerGone,   // `core` waits for a lock whose holder has ended
    kNobodyLeft,  // `core` waits for anybody, and everybody is asleep
  } shape = Shape::kCycle;
  Confidence confidence = Confidence::kPossible;
  std::vector<uint32_t> core, behind;
  bool everyone_asleep = false;
  // Others can run, and could post semaphores that only these threads were seen to take: a
  // stall, which nobody acts upon as a deadlock.
  bool presumed = false;
  std::vector<std::string> evidence;
};

struct Detection {
  WaitModel model;  // points into the snapshot that was looked at
  std::vector<Deadlock> deadlocks;
};

class DeadlockDetector {
 public:
  DeadlockDetector(const LedgerReader* reader, KernelView* kernel, uint64_t confirm_after_ns)
      : reader_(reader), kernel_(kernel), confirm_after_ns_(confirm_after_ns) {}

  // New deadlocks only. The result must not outlive `snapshot`, which says whether it has moved
  // since the last look.
  Detection Look(const Snapshot& snapshot, uint64_t now_ns);

  // A lock was released by a thread that did not own it: ownership proves nothing there.
  void NoteHandOver(LockKey lock) { handed_over_.insert(lock); }
  const absl::flat_hash_set<LockKey>& handed_over() const { return handed_over_; }
  // Slots of threads in deadlocks that were told, and last.
  const absl::flat_hash_set<uint32_t>& known_slots() const { return known_slots_; }
  void Forget();  // the process is gone

  bool has_suspects() const { return !sightings_.empty(); }
  uint64_t next_look_ns() const { return next_look_ns_; }
  uint64_t deadlocked_threads() const { return deadlocked_threads_; }
  uint64_t deadlocks_now() const { return known_.size(); }
  // Those, and what was told as a stall, as long as none of its threads has moved.
  uint64_t told_now() const { return known_.size() + presumed_.size(); }

 private:
  struct Sighting {
    ThreadInfo thread;
    uint64_t first_ns = 0;
    std::optional<uint64_t> context_switches;
  };

  ModelInput Input(const Snapshot& snapshot) const;
  void DropEnded(const Snapshot& snapshot);
  void Remember(const WaitModel& model, const std::vector<bool>& stuck, uint64_t now_ns);
  Suspects Settled(uint64_t now_ns);
  void RestAfterAsking(bool all_settled, uint64_t now_ns);
  void FindOwnerCycles(Detection* detection) const;
  void FindOrphans(Detection* detection) const;
  void FindAsleep(Detection* detection);
  void FindLockLike(Detection* detection, uint64_t now_ns) const;
  bool StillSo(const WaitModel& model, const Deadlock& deadlock) const;
  void Keep(const WaitModel& model, const Deadlock& deadlock);
  void CountNow(const WaitModel& model);

  const LedgerReader* reader_;
  KernelView* kernel_;
  const uint64_t confirm_after_ns_;
  absl::flat_hash_map<uint32_t, Sighting> sightings_;  // by slot
  absl::flat_hash_set<LockKey> handed_over_;
  std::vector<std::vector<ThreadInfo>> known_;  // each deadlock's core, as it was told
  absl::flat_hash_set<uint32_t> known_slots_;
  std::vector<std::vector<ThreadInfo>> presumed_;  // what was told as a stall
  uint64_t next_look_ns_ = 0;
  uint64_t deadlocked_threads_ = 0;
  uint64_t quiet_until_ns_ = 0;  // unless a record moves
  uint32_t asked_in_vain_ = 0;   // about the same suspects, one look after another
};

// Both records show the thread in the same wait, with the same holds, and nothing in
// between. False if either copy is torn.
bool SameMoment(const ThreadInfo& a, const ThreadInfo& b);

}  // namespace lockwarden
