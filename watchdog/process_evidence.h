// ProcessEvidence: what the kernel says of a process and of the machine at one moment, as
// texts for an incident: limits, memory, pressure, control group.
//
// Thread safety: no state. Must never: read what takes the process's memory lock (maps, smaps),
// which a thread that is stuck in the kernel may hold; or leave out in silence what could not be
// read.
#pragma once

#include <string>
#include <utility>
#include <vector>

namespace lockwarden {

struct EvidenceFile {
  std::string name;  // "limits"
  std::string text;
};

// status, limits, memory, pressure and cgroup, in this order. `pid` 0: it has ended, and only the
// machine's side is left. What could not be read says why.
std::vector<EvidenceFile> ProcessEvidence(int pid);

// How often the kernel killed for want of memory in the control group of `pid`; -1: not known.
long long OutOfMemoryKills(int pid);

}  // namespace lockwarden
