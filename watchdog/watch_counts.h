// WatchCounts: what the watchdog did about findings, and what it left undone, as metrics show it.
//
// Written by: the supervisor's loop. A value. Must never: go back.
#pragma once

#include <cstdint>
#include <map>
#include <string>

namespace lockwarden {

struct WatchCounts {
  // "ACTION,RESULT": dump, abort, restart or kill (after an abort that did not end the process);
  // ok or failed.
  std::map<std::string, uint64_t> actions;
  // Findings that were not told (suppression, baseline, repeat), and actions that were not taken
  // (confidence: better proof was wanted).
  std::map<std::string, uint64_t> suppressed;
  // "METHOD,RESULT" of dumps of the stacks of all threads: ptrace; ok, partial, failed.
  std::map<std::string, uint64_t> dumps;
  double dump_seconds = 0;  // the last of them
};

}  // namespace lockwarden
