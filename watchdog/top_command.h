// TopCommand: `lockwarden top`. The watchdog declares it, the exporter's library for the terminal
// defines it, the `lockwarden` executable links both.
#pragma once

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"

namespace lockwarden {

struct TopRequest {
  int pid = 0;         // of a watched process or of who watches it; 0: all of this user
  bool plain = false;  // one pass as text; so too where there is no terminal
  absl::Duration every = absl::Seconds(1);
};

// What follows `top` on the command line. Errors: kInvalidArgument, one line.
absl::StatusOr<TopRequest> ParseTop(const std::vector<std::string>& args);

// Shows until it is quit. Errors: kNotFound when there is nobody to ask, in words for a person;
// kFailedPrecondition when standard output cannot be written.
absl::Status TopCommand(const TopRequest& request);

}  // namespace lockwarden
