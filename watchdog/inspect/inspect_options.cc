#include "watchdog/inspect/inspect_options.h"

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/strings/strip.h"
#include "absl/time/time.h"

namespace lockwarden {
namespace {

absl::Status Bad(absl::string_view what) {
  return absl::InvalidArgumentError(absl::StrCat("inspect: ", what));
}

absl::Status SetWatch(absl::string_view value, double* seconds) {
  absl::Duration every;
  const bool plain = absl::SimpleAtod(value, seconds);
  if (!plain) {
    if (!absl::ParseDuration(value, &every))
      *seconds = -1;
    else
      *seconds = absl::ToDoubleSeconds(every);
  }
  if (*seconds < 0.1 || *seconds > 86'400) {
    return Bad("--watch must be a duration from 100ms to 24h, such as 2s");
  }
  return absl::OkStatus();
}

absl::Status Set(absl::string_view key, absl::string_view value, bool given,
                 InspectRequest* request) {
  if (key == "json" || key == "all") {
    if (given) return Bad(absl::StrCat("--", key, " takes no value"));
    if (key == "json") request->json = true;
    if (key == "all") request->all = true;
    return absl::OkStatus();
  }
  if (key == "watch") return SetWatch(given ? value : "2s", &request->watch_seconds);
  if (key == "core" || key == "exe") {
    if (value.empty()) return Bad(absl::StrCat("--", key, " needs a file"));
    (key == "core" ? request->core : request->exe) = std::string(value);
    return absl::OkStatus();
  }
  if (key == "stop") {
    if (value != "yes" && value != "no") return Bad("--stop must be yes or no");
    request->may_stop = value == "yes";
    return absl::OkStatus();
  }
  return Bad(absl::StrCat("unknown option --", key));
}

}  // namespace

absl::StatusOr<InspectRequest> ParseInspect(const std::vector<std::string>& args) {
  InspectRequest request;
  for (size_t i = 0; i < args.size(); ++i) {
    absl::string_view arg = args[i];
    if (absl::ConsumePrefix(&arg, "--")) {
      const size_t equals = arg.find('=');
      const absl::string_view key = arg.substr(0, equals);
      bool given = equals != absl::string_view::npos;
      absl::string_view value = given ? arg.substr(equals + 1) : absl::string_view();
      // "--core FILE", as well as "--core=FILE".
      if (!given && (key == "core" || key == "exe" || key == "stop") && i + 1 < args.size()) {
        value = args[++i];
        given = true;
      }
      if (const absl::Status status = Set(key, value, given, &request); !status.ok()) return status;
      continue;
    }
    int pid = 0;
    if (!absl::SimpleAtoi(arg, &pid) || pid <= 0) {
      return Bad(absl::StrCat(arg, " is no process id"));
    }
    if (request.pid != 0) return Bad("one process at a time, or --all");
    request.pid = pid;
  }
  const int targets = (request.pid != 0) + request.all + !request.core.empty();
  if (targets != 1) return Bad("give one of PID, --all and --core=FILE");
  if (!request.exe.empty() && request.core.empty()) return Bad("--exe goes with --core");
  if (request.watch_seconds != 0 && !request.core.empty())
    return Bad("a core file does not change");
  return request;
}

}  // namespace lockwarden
