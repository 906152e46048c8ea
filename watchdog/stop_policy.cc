// See stop_policy.h.
#include "watchdog/stop_policy.h"

#include <csignal>
#include <cstring>

#include "absl/strings/numbers.h"
#include "absl/strings/strip.h"

namespace lockwarden {

bool AsksToStop(int signal) {
  return signal == SIGTERM || signal == SIGINT || signal == SIGQUIT;
}

StopPolicy::Step StopPolicy::OnRequest(bool stuck, bool first_hand, uint64_t now_ns) {
  const bool again = asked_;
  asked_ = true;
  if (again && (deadline_ns_ != 0 || stuck)) return {.kill = true};
  if (timeout_ns_ != 0 && deadline_ns_ == 0) deadline_ns_ = now_ns + timeout_ns_;
  return {.signal = first_hand ? 0 : signal_};
}

std::optional<int> ParseSignal(absl::string_view text) {
  int number = 0;
  if (!absl::SimpleAtoi(text, &number)) {
    const absl::string_view name = absl::StripPrefix(text, "SIG");
    for (int candidate = 1; candidate < SIGRTMIN && number == 0; ++candidate) {
      const char* known = sigabbrev_np(candidate);
      if (known != nullptr && name == known) number = candidate;
    }
  }
  if (number < 1 || number > SIGRTMAX || number == SIGKILL || number == SIGSTOP) {
    return std::nullopt;
  }
  return number;
}

}  // namespace lockwarden
