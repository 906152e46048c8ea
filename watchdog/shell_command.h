// ShellCommand: starts `sh -c COMMAND` for the supervisor, in a process group of its own, so that
// it can be killed with what it started, and Ctrl-C for PROGRAM does not reach it.
// Thread safety: no state. The caller reaps it.
#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

namespace lockwarden {

// Reads from /dev/null and writes to standard error; no descriptor beyond these, no blocked
// signals. `environment`: "NAME=value" each. 0: it could not be started.
pid_t StartShell(const std::string& command, const std::vector<std::string>& environment);

}  // namespace lockwarden
