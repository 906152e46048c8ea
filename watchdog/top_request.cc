// The command line of `top`.
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "watchdog/top_command.h"

namespace lockwarden {

absl::StatusOr<TopRequest> ParseTop(const std::vector<std::string>& args) {
  TopRequest request;
  for (const std::string& arg : args) {
    absl::string_view value = arg;
    if (arg == "--plain") {
      request.plain = true;
    } else if (absl::ConsumePrefix(&value, "--every=")) {
      if (!absl::ParseDuration(value, &request.every) || request.every < absl::Milliseconds(100) ||
          request.every > absl::Hours(1)) {
        return absl::InvalidArgumentError(
            absl::StrCat("top: ", arg, ": want a time from 100ms to 1h"));
      }
    } else if (absl::StartsWith(arg, "-")) {
      return absl::InvalidArgumentError(
          absl::StrCat("top: unknown option ", arg, "; there are --plain and --every=TIME"));
    } else if (request.pid != 0 || !absl::SimpleAtoi(arg, &request.pid) || request.pid <= 0) {
      return absl::InvalidArgumentError(absl::StrCat("top: ", arg, ": want one pid, or none"));
    }
  }
  return request;
}

}  // namespace lockwarden
