// ProcessTree: ends a program together with every process that descends from it, so that
// its next life finds its ports and files free.
//
// Thread safety: no state. Must never: hit a process that only has a pid in common with
// one of them; each is held by a pidfd before it is believed.
#pragma once

#include <vector>

namespace lockwarden {

// A tree of processes as it is seen and acted upon: the kernel's, or a test's.
class ProcessTreeView {
 public:
  virtual ~ProcessTreeView() = default;
  virtual std::vector<int> Children(int pid) = 0;
  // Sends SIGSTOP to `child`. False: there is none with this parent (any more).
  virtual bool Stop(int child, int parent) = 0;
  // Whether the stop has reached all its threads. Before that a fork may be under way, which
  // the signal does not undo.
  virtual bool StandsStill(int pid) = 0;
  virtual void WaitAMoment() = 0;  // about a millisecond
  virtual void KillAll() = 0;      // SIGKILL to all that were stopped
};

// Stops, from the root down, all that descends from `root` (stopped already), then kills it.
void KillProcessTree(int root, ProcessTreeView* view);

// SIGKILL to `root`, a child of ours that has not been waited for, and to all below it. A
// deadlocked program cannot be asked: its handlers may need the locks that are stuck. Takes
// some milliseconds; less than half a second also where a process cannot be stopped.
void KillProcessTree(int root);

}  // namespace lockwarden
