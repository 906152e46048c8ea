// A process's lock orders into a file of their own, at its end: what `lockwarden report` merges.
//
// Called by: the supervisor's loop, when the process has ended or exec'ed. Must never: replace
// another process's file, or leave half of one.
#pragma once

#include <string>

#include "absl/status/status.h"
#include "watchdog/judge.h"
#include "watchdog/report/lock_graph.h"

namespace lockwarden {

// The orders of one process. Left out: locks that are taken for none (semaphores but for those
// that are used as locks), and locks beyond the lock table's room.
LockGraph LockGraphOf(const JudgedProcess& process);

// DIRECTORY/PID-IMAGE.lockgraph, or nothing if no lock was ever taken under another. Errors: one
// line.
absl::Status SaveLockGraph(const JudgedProcess& process, const std::string& directory);

// Makes the directory if it is missing, and looks whether a file can be made there. Errors: one
// line.
absl::Status CheckLockGraphDirectory(const std::string& directory);

}  // namespace lockwarden
