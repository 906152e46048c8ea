// From an acquisition against a declared lock order to a finding: whether the recorder saw it
// in the call itself (ranks, classes) or the reader on an order edge (a rules file).
// Pure but for resolving stacks.
#pragma once

#include <string>

#include "watchdog/finding_parts.h"

namespace lockwarden {

// "A thread asked for `wanted` while it held `held`."
struct OrderViolation {
  uint32_t thread_serial = 0;
  LockKey wanted;  // index kNoIndex: none, it was to hold nothing
  LockKey held;
  std::string wanted_called, held_called;  // as a rule calls them; empty: by no rule
  ledger::Mode wanted_mode = ledger::Mode::kExclusive, held_mode = ledger::Mode::kExclusive;
  uint32_t wanted_stack = 0, held_stack = 0;
  uint64_t wanted_site = 0, held_site = 0;
  uint32_t count = 1;
  std::string why;     // a whole sentence
  std::string advice;  // the same
};

// `time_ns`: CLOCK_MONOTONIC of when it happened.
Finding ViolationFinding(const FindingParts& parts, const OrderViolation& violation,
                         uint64_t time_ns);
// Of a misuse record of kind kOrderViolation.
OrderViolation ViolationOf(const MisuseInfo& misuse);

}  // namespace lockwarden
