// `lockwarden report`: what was recorded, in the form that is wanted.
// Thread safety: none needed; one command, one thread.
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "watchdog/exit_status.h"

namespace lockwarden {

struct ReportRequest {
  std::vector<std::string> paths;
  std::string format = "text";
  std::string output;                 // a file; empty: standard output
  std::string source_root;            // absolute; empty: none
  std::string baseline, diff, merge;  // files; empty: none
};

// `args` without "report". Errors: kInvalidArgument, one line.
absl::StatusOr<ReportRequest> ParseReport(const std::vector<std::string>& args);

// 0; 1 if something could not be read or written; with a baseline or a diff, exit code 66 if
// there is something new.
ExitStatus ReportCommand(const ReportRequest& request);

}  // namespace lockwarden
