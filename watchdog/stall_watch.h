// StallWatch: heartbeats that missed their deadline, and threads that wait for one lock beyond
// a limit. Each is looked at twice before it is told, since what a thread does (runs, starves,
// sleeps) shows only over a while; each is told once, until the heartbeat beats again.
//
// Written and read by: the judge's thread. Must never: count time in which the process was
// stopped, or the watchdog itself did not look.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_set.h"
#include "watchdog/finding_parts.h"
#include "watchdog/stall_cause.h"

namespace lockwarden {

// A stall that was told and goes on.
struct Stall {
  std::string heartbeat;  // empty: a wait beyond the limit
  bool essential = false;
  uint32_t tid = 0;  // as in the ledger; 0: not known
  StallKind kind = StallKind::kUnknown;
  uint64_t told_ns = 0;  // CLOCK_MONOTONIC
};

class StallWatch {
 public:
  // `wait_limit_ns`: 0: waits are not looked at.
  StallWatch(KernelView* kernel, uint64_t wait_limit_ns)
      : kernel_(kernel), wait_limit_ns_(wait_limit_ns) {}

  // Nothing before this time counts.
  void Rebase(uint64_t now_ns) { trusted_since_ns_ = now_ns; }
  struct Deadlocks {
    // Serials of threads in those that were told: what they miss has been explained.
    const absl::flat_hash_set<uint32_t>& stuck;
    bool hold = false;  // one may be told soon: nothing new is told now
  };
  void Look(const Snapshot& snapshot, const FindingParts& parts, const Deadlocks& deadlocks,
            uint64_t now_ns, std::vector<Finding>* findings);

  std::vector<Stall> now() const;
  // Misses told, by heartbeat; and how often time did not count since the process was stopped.
  const std::map<std::string, uint64_t>& misses() const { return misses_; }
  uint64_t stops() const { return stops_; }

 private:
  struct Episode {
    uint64_t since_ns = 0;  // the last beat, or when the wait began
    uint64_t seen_ns = 0;   // first sight
    CpuUse cpu;
    bool told = false;
    bool current = false;  // still so at this look
    Stall stall;
  };
  using Key = std::pair<uint64_t, uint64_t>;

  // The episode if it is to be told now, with its cause found.
  Episode* Ripe(Key key, const ThreadInfo* thread, uint64_t since_ns, uint64_t now_ns,
                StallCause* cause);
  void LookAtHeartbeats(const Snapshot& snapshot, const FindingParts& parts,
                        const absl::flat_hash_set<uint32_t>& stuck, uint64_t now_ns,
                        std::vector<Finding>* findings);
  void LookAtWaits(const Snapshot& snapshot, const FindingParts& parts,
                   const absl::flat_hash_set<uint32_t>& stuck, uint64_t now_ns,
                   std::vector<Finding>* findings);

  KernelView* kernel_;
  const uint64_t wait_limit_ns_;
  uint64_t trusted_since_ns_ = 0;
  bool hold_ = false;  // at this look
  std::map<Key, Episode> episodes_;
  // Waits whose beginning was not written down: {counters that move with it, first seen}.
  std::map<uint32_t, std::pair<uint64_t, uint64_t>> first_seen_;  // by thread serial
  std::map<std::string, uint64_t> misses_;
  uint64_t stops_ = 0;
};

}  // namespace lockwarden
