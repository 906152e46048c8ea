// InspectRequest: the command line of `lockwarden inspect`, taken apart and checked.
// Thread safety: a value and pure functions.
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"

namespace lockwarden {

struct InspectRequest {
  int pid = 0;
  bool all = false;
  std::string core;  // a file; empty: a living process
  std::string exe;   // with `core`: the program, if it cannot be found
  bool json = false;
  double watch_seconds = 0;  // 0: once
  bool may_stop = true;
};

// `args`: what follows "inspect". Errors: kInvalidArgument, one line.
absl::StatusOr<InspectRequest> ParseInspect(const std::vector<std::string>& args);

}  // namespace lockwarden
