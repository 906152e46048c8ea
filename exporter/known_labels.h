// The label values that are exported as zeros from the start: an increase() over a
// counter that is born at 1 is 0, so the first deadlock would raise no alert.
//
// Constants; a value that is missing here is exported when it first occurs. Tests
// compare them with the names in runtime/ and watchdog/.
#pragma once

#include "absl/types/span.h"

namespace lockwarden {

using LabelValues = absl::Span<const char* const>;

LabelValues KnownIncidentKinds();  // those, and what is no finding
LabelValues KnownFindingKinds();   // as KindName() in watchdog/finding.h
LabelValues KnownDeadlockKinds();  // of these, those that are happening, not predicted
LabelValues KnownMisuseKinds();    // as Finding::misuse
LabelValues KnownRestartReasons();
LabelValues KnownStallCauses();  // as StallKindName() of kToldStallKinds
LabelValues KnownHookResults();  // as IncidentHook::results()
LabelValues KnownClockJumps();   // as ClockTrust::jumps(), and "stopped" of HeartbeatTotals
LabelValues KnownActions();      // as WatchCounts has them, and so below
LabelValues KnownActionResults();
LabelValues KnownSuppressions();
LabelValues KnownDumpMethods();
LabelValues KnownDumpResults();
LabelValues KnownTables();       // as ledger::TableName, without index tables
LabelValues KnownDrops();        // tables, and what was lost elsewhere than in a table

}  // namespace lockwarden
