// ServeCommand: `lockwarden serve`. The watchdog declares it, the exporter's library defines it,
// the `lockwarden` executable links both.
#pragma once

#include <string>

#include "absl/status/status.h"

namespace lockwarden {

struct ServeRequest {
  std::string metrics = "127.0.0.1:9464";
  std::string credentials;  // "user:password"; empty: none are asked for
  std::string file_sd;      // a file for Prometheus' file_sd_configs; empty: none
};

// Serves until SIGTERM or SIGINT. Errors: kInvalidArgument when the address makes no sense or
// the file cannot be written; kUnavailable when the port cannot be had.
absl::Status ServeCommand(const ServeRequest& request);

}  // namespace lockwarden
