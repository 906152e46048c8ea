// What `lockwarden report` reads: files and whole directories of findings and lock graphs, told
// apart by what is in them. Lock graphs are merged as they come, one file in memory at a time.
//
// Not thread-safe. Must never: give up on the rest because one file is bad.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "watchdog/finding.h"
#include "watchdog/report/lock_graph.h"

namespace lockwarden {

struct ReportInput {
  std::vector<Finding> findings;
  LockGraph graph;
  uint64_t graphs = 0;                // files that were merged into it
  std::vector<std::string> problems;  // a line each: what could not be read, and why
  uint64_t left_out = 0;              // findings beyond what is kept in memory
};

// Of a directory everything below it that Lockwarden has written: report.json of incidents, and
// *.lockgraph. A file that is named itself is read whatever it is called. Symbolic links to
// directories are not followed.
ReportInput ReadReports(const std::vector<std::string>& paths);

}  // namespace lockwarden
