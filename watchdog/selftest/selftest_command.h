// SelftestCommand: `lockwarden selftest`: does it work on this machine? Programs that really hang
// run under `lockwarden run`; each must be reported within three seconds, or there is a reason
// why not, and the supervisor must live through it.
//
// Used by: main, once. Must never: leave a process or a file behind.
#pragma once

#include <string>
#include <vector>

#include "watchdog/exit_status.h"

namespace lockwarden {

// `words` behind the command: none for all scenes, or the names of some; "play" and one name is
// what a scene is started with. Exit code 0: all as it should be; 1: not; 64: no such scene.
ExitStatus SelftestCommand(const std::vector<std::string>& words);

}  // namespace lockwarden
