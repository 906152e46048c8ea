// From a stall to a finding: who does not go on, and what it does instead.
// Pure but for resolving stacks.
#pragma once

#include "watchdog/finding_parts.h"
#include "watchdog/stall_cause.h"

namespace lockwarden {

// `thread`: null if the ledger does not know who beat last.
Finding HeartbeatStall(const FindingParts& parts, const Snapshot& snapshot,
                       const HeartbeatInfo& heartbeat, const ThreadInfo* thread,
                       const StallCause& cause, uint64_t now_ns);
// A thread that waits for a lock, and has for longer than `limit_ns`.
Finding LongWait(const FindingParts& parts, const Snapshot& snapshot, const ThreadInfo& thread,
                 uint64_t since_ns, uint64_t limit_ns, uint64_t now_ns);

}  // namespace lockwarden
