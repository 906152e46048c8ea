// Inspection: everything that `lockwarden inspect` has to say about one process.
//
// Made by InspectProcess; turned into text and JSON by inspection_text.h and inspection_json.h.
// Thread safety: a value.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "watchdog/inspect/access_check.h"
#include "watchdog/inspect/process_picture.h"
#include "watchdog/inspect/stuck_threads.h"

namespace lockwarden {

struct Inspection {
  enum class Verdict {
    kDeadlock,  // somebody will never run again
    kAsleep,    // so it would be, if no signal handler wakes them
    kNotStuck,
    kUnknown,  // it could not be looked at
  } verdict = Verdict::kUnknown;
  Access access;
  ProcessPicture picture;
  std::vector<Finding> findings;  // deadlocks, surest first
  std::string ledger;             // a sentence: whether there is one, and what that means
  std::map<uint32_t, std::vector<std::string>> holds;  // by tid: from the ledger, for people
};
const char* VerdictName(Inspection::Verdict verdict);  // "deadlock", "asleep", ...

// Blocks for some hundred milliseconds: deadlocks are looked at twice.
Inspection InspectProcess(int pid, const StackLimits& limits);

// A core file; `exe` may be empty. Errors: one line, when it is none or nothing can be read.
absl::StatusOr<Inspection> InspectCore(const std::string& core, const std::string& exe,
                                       const StackLimits& limits);

// Several processes as one: locks that they share, files that they lock. In the order of `pids`;
// a finding stands with the first process that it concerns.
std::vector<Inspection> InspectProcesses(absl::Span<const int> pids, const StackLimits& limits);

}  // namespace lockwarden
