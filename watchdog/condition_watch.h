// ConditionWatch: threads that wait for a signal which, by all that was seen, nobody is left to
// send, while other threads of the process run; two sorts, as findings of their own:
//
//   nested_monitor  the waiter holds a lock behind which every thread is stuck that ever
//                   signalled the condition (A. Lister: The Problem of Nested Monitor Calls,
//                   Operating Systems Review 11, 1977). `likely`: somebody else might signal
//                   for the first time.
//   lost_wakeup     every signal that the condition ever got came while nobody waited, who
//                   sent it has ended, the condition's mutex was taken no more often than once
//                   for each signal and each waiter (so nobody was there who could have seen
//                   what was signalled), and other threads are stuck behind the waiter.
//                   `possible`: a new signaller may come along.
//
// If nobody in the process can run at all it is a deadlock, and the detector's. As there, a
// verdict needs the records unchanged over a span, the waiter and all who are stuck behind it
// asleep in the kernel, and the records read once more after that.
//
// Written and read by: the judge's thread. Must never: act, or tell one wait twice.
#pragma once

#include <cstdint>
#include <optional>
#include <set>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "watchdog/finding_parts.h"
#include "watchdog/wait_model.h"

namespace lockwarden {

// What was found out about one waiting thread.
struct SilentCondition {
  bool nested = false;               // else: a lost wake-up
  uint32_t waiter = 0;               // nodes of the model
  std::vector<uint32_t> signallers;  // stuck behind it; none of a lost wake-up
  std::vector<uint32_t> behind;      // all that are stuck behind it
  LockInfo condition;
};

class ConditionWatch {
 public:
  // `input.snapshot` is that of the look; threads in `input.known` have been told of.
  void Look(const ModelInput& input, const FindingParts& parts, uint64_t now_ns,
            std::vector<Finding>* findings);
  // A wait is being watched: Look has to be called though nothing has moved.
  bool watches() const { return !sightings_.empty(); }

 private:
  struct Sighting {
    ThreadInfo thread;
    uint64_t first_ns = 0, ask_ns = 0;
    std::optional<uint64_t> context_switches;
  };
  std::vector<const ThreadInfo*> Candidates(const ModelInput& input) const;
  std::optional<SilentCondition> Ask(const ModelInput& input, const Sighting& sighting,
                                     const LockInfo& condition, WaitModel* model) const;

  absl::flat_hash_map<uint32_t, Sighting> sightings_;  // by slot
  std::set<std::pair<uint32_t, uint64_t>> told_;       // {thread serial, its count of waits}
};

}  // namespace lockwarden
