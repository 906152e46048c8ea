// See clock_trust.h.
#include "watchdog/clock_trust.h"

namespace lockwarden {
namespace {

// A look comes every 100 ms. What keeps us from it for five of them keeps others, too.
constexpr uint64_t kLateNs = 500'000'000;
// The two clocks are read one after the other: less is no suspend.
constexpr uint64_t kSuspendNs = 100'000'000;

}  // namespace

const char* ClockTrust::Look(Clocks now, uint64_t planned_ns) {
  const uint64_t suspended = now.boottime_ns - now.monotonic_ns;
  const char* cause = nullptr;
  if (looked_ && suspended > suspended_ns_ + kSuspendNs) cause = "suspend";
  if (cause == nullptr && planned_ns != 0 && now.monotonic_ns > planned_ns + kLateNs)
    cause = "late";
  suspended_ns_ = suspended;
  looked_ = true;
  if (cause == nullptr) return nullptr;
  trusted_since_ns_ = now.monotonic_ns;
  ++jumps_[cause];
  return cause;
}

}  // namespace lockwarden
