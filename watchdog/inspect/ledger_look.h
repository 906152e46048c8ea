// What the ledger of an inspected process says, if Lockwarden records in it: deadlocks with the
// stacks where held locks were taken, and what each thread holds.
//
// The segment is found in the process's map and opened through /proc/PID/map_files; where that
// is not permitted its used part is copied out of the process's memory. Not thread-safe.
// Must never: write to it, or touch pages that the process has not used.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "watchdog/finding.h"
#include "watchdog/judge.h"

namespace lockwarden {

struct LedgerLook {
  std::vector<Finding> findings;  // of what happens now; predictions and misuse are left out
  std::map<uint32_t, std::vector<std::string>> holds;  // by tid, as the process sees it
};

// nullopt: it has none, or it cannot be read; *why is a sentence then.
std::optional<LedgerLook> LookIntoLedger(int pid, KernelView* kernel, StackResolver* resolver,
                                         std::string* why);

}  // namespace lockwarden
