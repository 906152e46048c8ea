// The same finding in several runs or processes, told once: grouped by fingerprint.
// Pure functions; no state.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/types/span.h"
#include "watchdog/finding.h"

namespace lockwarden {

struct FindingGroup {
  const Finding* newest = nullptr;  // points into what was grouped
  uint64_t times = 0;
  uint64_t first_ns = 0, last_ns = 0;  // CLOCK_REALTIME; 0: not known
};

// Those that happened first, the surest first: deadlocks, stalls, violations, predictions,
// misuse; within these by time, the newest first. One without a fingerprint stands for itself.
std::vector<FindingGroup> GroupFindings(absl::Span<const Finding> findings);

// "3 times, from ... to ..."; empty if it was once.
std::string TimesText(const FindingGroup& group);

// "error" for what happened, "warning" for what may, "note" for what is only possible.
const char* LevelName(const Finding& finding);

// The place to point at: of a stack the innermost frame of the program's own with a source
// line, else any with one. Null: there is none.
const StackFrame* SourceFrame(const StackTrace& stack);
// The same of the finding: of the threads of its cycle the first that has one, where it waits
// or else where it took a lock.
const StackFrame* SourceFrame(const Finding& finding);

// The path of a source file below `root` without it; any other as it is.
std::string WithoutRoot(const std::string& file, const std::string& root);

}  // namespace lockwarden
