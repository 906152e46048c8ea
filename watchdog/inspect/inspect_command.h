// InspectCommand: `lockwarden inspect`. What scripts may rely on is its exit code:
//   0   looked, and nothing is deadlocked
//   66  a deadlock was found
//   1   could not look: no such process, no right to, not a core file
//   64  usage
#pragma once

#include "watchdog/inspect/inspect_options.h"

namespace lockwarden {

inline constexpr int kExitNotStuck = 0;
inline constexpr int kExitDeadlock = 66;
inline constexpr int kExitCannotLook = 1;

// Prints to standard output. Returns the exit code.
int InspectCommand(const InspectRequest& request);

}  // namespace lockwarden
