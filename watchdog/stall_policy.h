// StallPolicy: when on_stall acts. Stalls may end by themselves, so nothing is done before one
// has gone on for stall_grace; and one heartbeat may be wrong about the program, so a quorum
// decides, or one that is marked essential.
//
// Pure. Thread safety: functions.
#pragma once

#include <cstdint>
#include <vector>

#include "watchdog/options.h"
#include "watchdog/stall_watch.h"

namespace lockwarden {

// Whether so many heartbeats stay away at a time that it is the program's affair.
struct StallVerdict {
  const Stall* stall = nullptr;  // the one to act upon, into `stalls`; null: too few
  uint64_t since_ns = 0;         // since when there are enough
};
StallVerdict JudgeStalls(const std::vector<Stall>& stalls, int quorum);
// The same; but one whose ladder acts goes before those whose ladder only tells.
StallVerdict JudgeStalls(const std::vector<Stall>& stalls, int quorum, const StallLadders& ladders);

// The stall to act upon, into `stalls`; null: none yet. Long waits for a lock are never acted
// upon: they are no heartbeat's.
const Stall* StallToActOn(const std::vector<Stall>& stalls, const Options& options,
                          uint64_t now_ns);

}  // namespace lockwarden
