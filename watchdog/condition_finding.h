// What a nested monitor and a lost wake-up are told as.
// Pure but for the parts' look-ups. Must never: keep anything that points into the model.
#pragma once

#include <cstdint>

#include "watchdog/condition_watch.h"
#include "watchdog/finding_parts.h"

namespace lockwarden {

Finding ConditionFinding(const FindingParts& parts, const WaitModel& model,
                         const SilentCondition& found, uint64_t now_ns);

// "condition 3 was signalled twice (last at f, x.cc:12) while nobody waited, and never since";
// empty if a signal was heard, or none was seen.
std::string UnheardSignals(const FindingParts& parts, const LockInfo& condition,
                           const std::string& label);

}  // namespace lockwarden
