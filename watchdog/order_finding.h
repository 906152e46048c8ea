// From a lock-order cycle that could close to a finding.
// Pure but for resolving stacks.
#pragma once

#include "watchdog/finding_parts.h"
#include "watchdog/order_watch.h"

namespace lockwarden {

Finding OrderFinding(const FindingParts& parts, const PredictedCycle& cycle, uint64_t now_ns);
// Of one that could not: "not told, guarded: lock-order cycle: ...".
std::string RejectedLine(const FindingParts& parts, const PredictedCycle& cycle);

}  // namespace lockwarden
