// SessionFiles: the files that options name, read or opened before anything is watched, so that
// what cannot be had is said at once. For `lockwarden run` and for the helper.
//
// Written by: Open. Read by: the supervisor and its desk, which it outlives. Not thread-safe.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "watchdog/baseline.h"
#include "watchdog/finding_desk.h"
#include "watchdog/incident.h"
#include "watchdog/options.h"
#include "watchdog/order_rules.h"
#include "watchdog/report_sink.h"
#include "watchdog/suppressions.h"

namespace lockwarden {

// The one line, user:password, of a file that nobody else can read. Errors: why not.
absl::StatusOr<std::string> ReadCredentials(const std::string& path);

class SessionFiles {
 public:
  // Fills in options->metrics_credentials. Errors: one line that names the option.
  static absl::StatusOr<std::unique_ptr<SessionFiles>> Open(Options* options);

  // A desk that writes to them; `incidents` may be null, and both outlive it, as `options` do.
  std::unique_ptr<FindingDesk> MakeDesk(const Options& options, IncidentWriter* incidents,
                                        ReportSink* notices);
  // At the end: write_baseline.
  void WriteBaseline(const Options& options, FindingDesk* desk) const;

  const OrderRules& rules() const { return rules_; }

 private:
  SessionFiles() = default;
  OrderRules rules_;
  std::optional<Suppressions> suppressions_;
  std::optional<Baseline> baseline_;
  std::unique_ptr<ReportSink> report_;
};

}  // namespace lockwarden
