// JointDetector: deadlocks that run through more than one process, or through a file lock.
// Consulted with every process that is supervised together; a look in which no thread
// waits for something shared costs a pass over the waits.
//
// The stages are those of deadlock_detector.h, over all processes at once:
//
//   first sight   the ledgers alone say that a thread may be stuck: its record is kept
//   settled       confirm_after later its record has not changed in anything
//   asked         lock words, kernel and the kernel's file locks, in every process
//   read again    every thread that the verdict rests on still has the record of its first
//                 sight, in whichever process it is
//
// Why collecting the processes one after the other is enough: every first sight of a
// thread in the verdict comes before the first question, and every re-reading after the
// last, whichever process was looked at when. So from the latest first sight to the
// earliest re-reading there is one span in which all of the records stood still, and in
// it the witnesses were asked: it is as if all of them had been collected at one moment.
// Hold and wait mean the same in each ledger, the identity of a shared object is read
// within the span, and a lock word or a file lock has one value for all. Closing file
// descriptors leaves no trace in a record, so for file locks the threads must moreover not
// have run at all: their context switches are those of an earlier look when they are
// asked, and still when they are read again.
//
// "Everybody is asleep" is never argued across processes: others might share the object. So a
// cycle of semaphores that are used as locks stays a stall.
//
// Written and read by: the supervisor's loop. Must never: tell what one process's own
// detector tells, or say deadlock where any witness contradicts.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "watchdog/deadlock_detector.h"
#include "watchdog/joint_model.h"
#include "watchdog/outside_watch.h"

namespace lockwarden {

struct JointFinding {
  Finding finding;
  std::vector<int> pids;  // processes of the cycle, the one that the finding names first
};

class JointDetector {
 public:
  JointDetector(std::unique_ptr<FileLockView> files, uint64_t confirm_after_ns)
      : files_(std::move(files)), confirm_after_ns_(confirm_after_ns) {}

  // New deadlocks only.
  std::vector<JointFinding> Look(const std::vector<JudgedProcess>& processes, uint64_t now_ns);
  // The process has ended, or exec'ed; `process.snapshot` is its last one. Lines for people, of
  // what its threads still waited for.
  std::vector<std::string> Forget(const JudgedProcess& process, uint64_t now_ns);

  uint64_t next_look_ns() const { return next_look_ns_; }
  uint64_t deadlocked_threads() const;
  uint64_t deadlocks_now() const { return known_.size(); }
  // Whether a thread of it is in one that was told, sure or presumed, and has not dissolved.
  bool Involves(int pid) const;

 private:
  using Where = std::pair<int, uint32_t>;  // pid, slot
  struct Sighting {
    ThreadInfo thread;
    uint64_t first_ns = 0;
    std::optional<uint64_t> context_switches;
  };

  JointInput Input(const std::vector<JudgedProcess>& processes) const;
  void DropEnded(const std::vector<JudgedProcess>& processes);
  void Remember(const std::vector<JudgedProcess>& processes, const JointModel& model,
                const std::vector<bool>& stuck, uint64_t now_ns);
  bool Settled(const std::vector<JudgedProcess>& processes, uint64_t now_ns,
               std::vector<Suspects>* settled);
  void CompareFromNow(const std::vector<JudgedProcess>& processes, const JointModel& joint,
                      uint64_t now_ns);
  std::vector<Deadlock> Find(const JointModel& joint) const;
  bool IsStall(const std::vector<JudgedProcess>& processes, const JointModel& joint,
               const Deadlock& deadlock, uint64_t now_ns) const;
  bool StillSo(const std::vector<JudgedProcess>& processes, const JointModel& joint,
               const std::vector<bool>& stuck, const Deadlock& deadlock);
  JointFinding Tell(const std::vector<JudgedProcess>& processes, const JointModel& joint,
                    const Deadlock& deadlock, uint64_t now_ns) const;
  void Keep(const std::vector<JudgedProcess>& processes, const JointModel& joint,
            const Deadlock& deadlock);

  const std::unique_ptr<FileLockView> files_;
  const uint64_t confirm_after_ns_;
  std::map<Where, Sighting> sightings_;
  // Deadlocks, and stalls, that were told: their threads.
  std::vector<std::vector<std::pair<int, ThreadInfo>>> known_, presumed_;
  OutsideWatch outside_;
  SharedSemaphores semaphores_;
  // Pids whose threads waited for nothing shared, with Snapshot::moves at that time.
  absl::flat_hash_map<int, uint64_t> alone_;
  absl::flat_hash_set<uint32_t> ended_;  // tids that ended holding a shared lock
  uint64_t next_look_ns_ = 0;
  // The settled threads that were asked about last; the same ones are asked again less and
  // less often, since a process may well wait for a file for hours.
  std::vector<Where> asked_;
  uint64_t ask_again_ns_ = 0, ask_interval_ns_ = 0;
};

}  // namespace lockwarden
