// From a misuse that the recorder saw to a finding.
// Pure but for resolving stacks.
#pragma once

#include "watchdog/finding_parts.h"

namespace lockwarden {

const char* MisuseName(ledger::MisuseKind kind);  // "unlock_not_owner", ...
// Of the linked types, which refuse what mutexes let happen.
bool IsOwnType(const LockInfo& lock);
// Not worth telling: while a program is in exit(), its threads go on, and the destructors of
// static objects destroy what those still hold.
bool IsExcused(const FindingParts& parts, const MisuseInfo& misuse);
Finding MisuseFinding(const FindingParts& parts, const MisuseInfo& misuse, uint64_t now_ns);

}  // namespace lockwarden
