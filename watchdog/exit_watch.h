// ExitWatch: threads that ended and still hold a lock, told as misuse.
//
// "Ended" is what the kernel says (or that the thread was joined), not what the thread did
// last: thread-local destructors still unlock. "Holds" is what its record says, if the lock
// word does not contradict. Robust mutexes are handed on by the kernel and are left out.
//
// Written and read by: the judge's thread.
#pragma once

#include <cstdint>
#include <set>
#include <utility>
#include <vector>

#include "watchdog/finding_parts.h"

namespace lockwarden {

class ExitWatch {
 public:
  ExitWatch(const LedgerReader* reader, KernelView* kernel) : reader_(reader), kernel_(kernel) {}

  // `last`: the process has ended, so the kernel knows none of its threads any more.
  void Look(const Snapshot& snapshot, const FindingParts& parts, uint64_t now_ns, bool last,
            std::vector<Finding>* findings);

 private:
  const LedgerReader* reader_;
  KernelView* kernel_;
  std::set<std::pair<uint32_t, LockKey>> seen_, told_;  // thread serial, lock
};

}  // namespace lockwarden
