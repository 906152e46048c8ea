// RunCommand: `lockwarden run`, from checked options to an exit status: finds the library,
// makes the socket, looks at the program and hands over to the Supervisor.
//
// Used by: main, once. Must never: start PROGRAM when something that was asked for cannot
// be had (exit code 64); everything else is a line, and it goes on.
#pragma once

#include <string>
#include <vector>

#include "watchdog/child.h"
#include "watchdog/exit_status.h"
#include "watchdog/options.h"
#include "watchdog/supervisor.h"

namespace lockwarden {

struct RunRequest {
  Options options;
  std::vector<std::string> argv;         // PROGRAM and its arguments
  std::vector<std::string> environment;  // as this process got it
  const InheritedState* inherited = nullptr;
  MetricsServerFactory make_metrics_server;
};

ExitStatus RunCommand(const RunRequest& request);

}  // namespace lockwarden
