// ProcessTree: ends a program together with every process that descends from it, so that
// its next life finds its ports and files free.
//
// Thread safety: no state. Must never: hit a process that only has a pid in common with
// one of them; each is held by a pidfd before it is believed.
#pragma once

namespace lockwarden {

// SIGKILL to `root`, a child of ours that has not been waited for, and to all below it. A
// deadlocked program cannot be asked: its handlers may need the locks that are stuck.
void KillProcessTree(int root);

}  // namespace lockwarden
