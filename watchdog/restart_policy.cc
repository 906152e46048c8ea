// Budget: at most `max` restarts whose decisions lie within the last `window`. The pause
// doubles with each of them, so a program that stays up for a window starts afresh; up to a
// quarter more is added by chance.
#include "watchdog/restart_policy.h"

#include <algorithm>
#include <csignal>
#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"

namespace lockwarden {
namespace {
constexpr uint64_t kLongestDelayNs = 30'000'000'000;
constexpr uint64_t kUnlimitedWindowNs = 60'000'000'000;  // for the pause, when there is no limit
}  // namespace

std::string DescribeEnd(const ProgramEnd& end) {
  if (end.deadlocked) return "a deadlock";
  if (end.stalled) return "a stall";
  if (end.signal == 0) return absl::StrCat("exit code ", end.code);
  const char* name = sigabbrev_np(end.signal);
  return name == nullptr ? absl::StrCat("a crash (signal ", end.signal, ")")
                         : absl::StrCat("a crash (SIG", name, ")");
}

RestartPolicy::RestartPolicy(const Options& options, std::function<uint64_t()> random)
    : when_(options.restart),
      random_(std::move(random)),
      delay_ns_(static_cast<uint64_t>(absl::ToInt64Nanoseconds(options.restart_delay))),
      window_ns_(static_cast<uint64_t>(absl::ToInt64Nanoseconds(options.restart_window))),
      max_(options.restart_max),
      limited_(options.restart_window > absl::ZeroDuration()) {
  if (!limited_) window_ns_ = kUnlimitedWindowNs;
}

bool RestartPolicy::IsFailure(const ProgramEnd& end) {
  if (end.deadlocked || end.stalled) return true;
  if (end.signal == 0) return end.code != 0;
  return end.signal != SIGHUP && end.signal != SIGINT && end.signal != SIGTERM &&
         end.signal != SIGPIPE;
}

bool RestartPolicy::Counts(uint64_t then_ns, uint64_t now_ns) const {
  return now_ns - then_ns < window_ns_;
}

RestartPolicy::Decision RestartPolicy::OnEnd(const ProgramEnd& end, uint64_t now_ns) {
  Decision decision;
  decision.reason = end.deadlocked    ? "deadlock"
                    : end.stalled     ? "stall"
                    : end.signal != 0 ? "crash"
                                      : "exit";
  if (when_ == RestartWhen::kNever || end.asked_to_stop ||
      (when_ == RestartWhen::kOnFailure && !IsFailure(end))) {
    return decision;
  }
  while (!restarts_ns_.empty() && !Counts(restarts_ns_.front(), now_ns)) restarts_ns_.pop_front();
  const size_t recent = restarts_ns_.size();
  if (limited_ && recent >= static_cast<size_t>(max_)) {
    decision.verdict = Verdict::kBudgetSpent;
    return decision;
  }
  const uint64_t longest = std::max(delay_ns_, kLongestDelayNs);
  uint64_t delay = delay_ns_;
  for (size_t i = 0; i < recent && delay < longest; ++i) delay = std::min(delay * 2, longest);
  if (random_ != nullptr) delay += random_() % (delay / 4 + 1);
  restarts_ns_.push_back(now_ns);
  decision.verdict = Verdict::kRestart;
  decision.at_ns = now_ns + delay;
  decision.number = static_cast<int>(recent) + 1;
  return decision;
}

void RestartPolicy::Remember(const std::vector<uint64_t>& restarts_ns) {
  restarts_ns_.insert(restarts_ns_.begin(), restarts_ns.begin(), restarts_ns.end());
}

int64_t RestartPolicy::Remaining(uint64_t now_ns) const {
  if (!limited_ || when_ == RestartWhen::kNever) return -1;
  int64_t left = max_;
  for (uint64_t then : restarts_ns_) left -= Counts(then, now_ns);
  return std::max<int64_t>(left, 0);
}

}  // namespace lockwarden
