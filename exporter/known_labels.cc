// The lists themselves; see the header for why they exist.
#include "exporter/known_labels.h"

namespace lockwarden {
namespace {

// KnownFindingKinds() is the first nine of them.
constexpr const char* kIncidentKinds[] = {
    "deadlock",    "self_deadlock",      "order_violation", "potential_deadlock", "nested_monitor",
    "lost_wakeup", "signal_unsafe_lock", "stall",           "misuse",             "crash"};

constexpr const char* kMisuseKinds[] = {"unlock_not_owner", "destroy_held",  "relock",
                                        "exit_holding",     "two_mutexes",   "fork_while_held",
                                        "order_violation",  "inherited_held", "unit_overrun"};

constexpr const char* kRestartReasons[] = {"deadlock", "stall", "crash", "exit"};

constexpr const char* kStallCauses[] = {"lock",      "system_call",     "running", "starved",
                                        "throttled", "uninterruptible", "ended",   "unknown"};
constexpr const char* kHookResults[] = {"ok", "failed", "timeout", "dropped"};
constexpr const char* kActions[] = {"dump", "abort", "restart", "kill"};
constexpr const char* kActionResults[] = {"ok", "failed"};
constexpr const char* kSuppressions[] = {"suppression", "baseline", "repeat",
                                         "incident",    "confidence", "dump_limit"};
constexpr const char* kDumpMethods[] = {"ptrace"};
constexpr const char* kDumpResults[] = {"ok", "partial", "failed"};
constexpr const char* kClockJumps[] = {"late", "suspend", "stopped"};

// KnownTables() is the first twelve of them.
constexpr const char* kDrops[] = {
    "threads",          "locks",        "classes",   "edges",           "witnesses",
    "stacks",           "modules",      "names",     "heartbeats",      "misuse",
    "thread_lives",     "thread_edges", "held_list", "handler_nesting", "stack",
    "unrecorded_calls", "exec",         "fork",      "process",         "unreadable"};

}  // namespace

LabelValues KnownFindingKinds() { return LabelValues(kIncidentKinds).first(9); }
LabelValues KnownIncidentKinds() { return kIncidentKinds; }
LabelValues KnownDeadlockKinds() { return LabelValues(kIncidentKinds).first(2); }
LabelValues KnownMisuseKinds() { return kMisuseKinds; }
LabelValues KnownRestartReasons() { return kRestartReasons; }
LabelValues KnownStallCauses() { return kStallCauses; }
LabelValues KnownHookResults() { return kHookResults; }
LabelValues KnownClockJumps() { return kClockJumps; }
LabelValues KnownActions() { return kActions; }
LabelValues KnownActionResults() { return kActionResults; }
LabelValues KnownSuppressions() { return kSuppressions; }
LabelValues KnownDumpMethods() { return kDumpMethods; }
LabelValues KnownDumpResults() { return kDumpResults; }
LabelValues KnownTables() { return LabelValues(kDrops).first(12); }
LabelValues KnownDrops() { return kDrops; }

}  // namespace lockwarden
