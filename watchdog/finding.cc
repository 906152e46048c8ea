// Names of finding kinds and confidences, as JSON, metrics and suppressions use them.
// Pure functions. Must never: change a name; people's filters depend on it.
#include "watchdog/finding.h"

namespace lockwarden {

const char* KindName(FindingKind kind) {
  switch (kind) {
    case FindingKind::kDeadlock: return "deadlock";
    case FindingKind::kSelfDeadlock: return "self_deadlock";
    case FindingKind::kOrderViolation: return "order_violation";
    case FindingKind::kPotentialDeadlock: return "potential_deadlock";
    case FindingKind::kNestedMonitor: return "nested_monitor";
    case FindingKind::kLostWakeup: return "lost_wakeup";
    case FindingKind::kSignalUnsafeLock: return "signal_unsafe_lock";
    case FindingKind::kStall: return "stall";
    case FindingKind::kMisuse: return "misuse";
  }
  return "unknown";
}

const char* ConfidenceName(Confidence confidence) {
  switch (confidence) {
    case Confidence::kPossible: return "possible";
    case Confidence::kLikely: return "likely";
    case Confidence::kStrong: return "strong";
    case Confidence::kProven: return "proven";
  }
  return "unknown";
}

}  // namespace lockwarden
