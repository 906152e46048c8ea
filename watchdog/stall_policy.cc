// See stall_policy.h.
#include "watchdog/stall_policy.h"

namespace lockwarden {

const Stall* StallToActOn(const std::vector<Stall>& stalls, const Options& options,
                          uint64_t now_ns) {
  const auto grace_ns = static_cast<uint64_t>(absl::ToInt64Nanoseconds(options.stall_grace));
  const Stall* oldest = nullptr;
  int ripe = 0;
  for (const Stall& stall : stalls) {
    if (stall.heartbeat.empty() || now_ns - stall.told_ns < grace_ns) continue;
    if (stall.essential) return &stall;
    ++ripe;
    if (oldest == nullptr || stall.told_ns < oldest->told_ns) oldest = &stall;
  }
  return ripe >= options.stall_quorum ? oldest : nullptr;
}

}  // namespace lockwarden
