// See stall_policy.h.
#include "watchdog/stall_policy.h"

#include <algorithm>

namespace lockwarden {

StallVerdict JudgeStalls(const std::vector<Stall>& stalls, int quorum) {
  StallVerdict verdict;
  std::vector<const Stall*> missed;
  for (const Stall& stall : stalls) {
    if (stall.heartbeat.empty()) continue;
    missed.push_back(&stall);
    if (stall.essential && (verdict.stall == nullptr || stall.told_ns < verdict.since_ns)) {
      verdict = {&stall, stall.told_ns};
    }
  }
  std::stable_sort(missed.begin(), missed.end(),
                   [](const Stall* a, const Stall* b) { return a->told_ns < b->told_ns; });
  if (missed.size() < static_cast<size_t>(quorum)) return verdict;
  const uint64_t complete_ns = missed[static_cast<size_t>(quorum) - 1]->told_ns;
  if (verdict.stall == nullptr || complete_ns < verdict.since_ns) {
    verdict = {missed.front(), complete_ns};
  }
  return verdict;
}

StallVerdict JudgeStalls(const std::vector<Stall>& stalls, int quorum,
                         const StallLadders& ladders) {
  StallVerdict verdict = JudgeStalls(stalls, quorum);
  const auto acts = [&ladders](const Stall& stall) {
    return !ladders.For(StallKindName(stall.kind)).OnlyTells();
  };
  if (verdict.stall == nullptr || acts(*verdict.stall)) return verdict;
  const Stall* first = nullptr;
  for (const Stall& stall : stalls) {
    if (stall.heartbeat.empty() || !acts(stall)) continue;
    if (first == nullptr || stall.told_ns < first->told_ns) first = &stall;
  }
  if (first != nullptr) verdict = {first, std::max(verdict.since_ns, first->told_ns)};
  return verdict;
}

const Stall* StallToActOn(const std::vector<Stall>& stalls, const Options& options,
                          uint64_t now_ns) {
  const StallVerdict verdict = JudgeStalls(stalls, options.stall_quorum);
  const auto grace_ns = static_cast<uint64_t>(absl::ToInt64Nanoseconds(options.stall_grace));
  return verdict.stall != nullptr && now_ns - verdict.since_ns >= grace_ns ? verdict.stall
                                                                           : nullptr;
}

}  // namespace lockwarden
