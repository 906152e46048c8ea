// Options: what `lockwarden run` was asked to do. One table of keys serves the command
// line, LOCKWARDEN_OPTIONS and --help, so that the three cannot drift apart.
//
// Written by: ResolveOptions, once at start. Read by: everything behind it.
// Must never: guess. An unknown key or a bad value is an error of one clear line.
// Thread safety: values and pure functions.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "absl/types/span.h"
#include "watchdog/ladder.h"

namespace lockwarden {

enum class Profile { kTest, kProduction };
enum class RestartWhen { kNever, kOnFailure, kAlways };
enum class NotifyWho { kOwn, kProgram, kOff };
enum class ReportFormat { kText, kJson };
enum class StackDetail { kFull, kSite, kOff };
enum class Predict { kLocks, kJoins, kClasses };
enum class OrderAction { kOff, kReport, kThrow, kAbort };

struct Options {
  Profile profile = Profile::kTest;
  Ladder on_deadlock = DeadlockAction::kAbort;
  StallLadders on_stall;
  absl::Duration stall_grace = absl::Seconds(10);  // from a stall to the first step of on_stall
  int stall_quorum = 1;                            // heartbeats that must miss at a time
  absl::Duration wait_limit = absl::ZeroDuration();  // zero: off
  RestartWhen restart = RestartWhen::kNever;
  absl::Duration restart_delay = absl::Milliseconds(100);  // doubles with each restart
  int restart_max = 5;                                     // restarts within restart_window
  absl::Duration restart_window = absl::Minutes(1);        // zero: no limit
  std::string restart_state;  // absolute path; empty: the budget begins anew with each run
  int on_stop = 0;            // the signal; 0: the one that asks
  absl::Duration stop_timeout = absl::ZeroDuration();  // zero: none
  bool ends_with_supervisor = false;
  std::string metrics;    // "ADDR:PORT"; empty: off
  std::string metrics_password;     // absolute path of a file; empty: none is asked for
  std::string metrics_credentials;  // what it says, "user:password": filled in by `run`
  std::string textfile;   // absolute path; empty: none
  std::string print;      // "rules", "dashboard", "unit", "probes"; empty: run PROGRAM
  std::string incidents = "lockwarden-incidents";  // absolute after ResolveOptions
  std::string incidents_shown = "./lockwarden-incidents";  // as it was written: for messages
  int incidents_max = 100;           // kept; 0: no limit
  int incidents_mb = 1000;           // the same, in 10^6 bytes on the disk
  std::string on_incident;           // a shell command; empty: none
  absl::Duration on_incident_timeout = absl::Seconds(30);  // zero: none
  std::string report;     // absolute path; empty: standard error
  std::string rules;      // absolute path; empty: none
  std::string lock_graph;  // a directory; the same
  bool watchdog = true;   // without `run`: whether there is a helper, or a Watchdog judges
  NotifyWho notify = NotifyWho::kOwn;
  std::string suppressions;    // the same, and so below
  std::string baseline;
  std::string write_baseline;
  bool verbose = false;
  Predict predict = Predict::kLocks;
  std::optional<OrderAction> order;  // of the linked types; none: as the program has it
  ReportFormat format = ReportFormat::kText;
  StackDetail stacks = StackDetail::kFull;
  int exitcode = 66;      // 0: findings do not change the exit code

  // Whether the key was given at all, where that makes a difference.
  bool on_deadlock_given = false;
  bool restart_given = false;
  bool wait_limit_given = false;
  bool incidents_given = false;
  bool exitcode_given = false;
};

struct OptionKey {
  const char* name;
  const char* syntax;         // "test|production", "DIR"
  const char* default_value;  // as shown in --help
  const char* help;           // lines are separated by newlines
  absl::Status (*apply)(absl::string_view value, Options* options);
  bool is_switch = false;  // may stand on the command line without a value, which is "yes"
};
absl::Span<const OptionKey> OptionKeys();
// Hyphens and underscores are the same. False too if there is no such key.
bool IsSwitch(absl::string_view key);

// One key and its value as given; not looked at yet.
struct Setting {
  std::string key;
  std::string value;
};

// "key=value,key=value": commas or spaces between, quotes (either kind) around a value
// that contains one of them. Errors: kInvalidArgument, one line.
absl::StatusOr<std::vector<Setting>> ParseOptionsVariable(absl::string_view text);
// Whether LOCKWARDEN_OPTIONS asks for the list of keys.
bool AsksForHelp(absl::string_view text);

// Defaults, then `environment`, then `command_line`; relative paths become absolute by
// `directory`. Errors: kInvalidArgument, one line that names the key and where it stands.
absl::StatusOr<Options> ResolveOptions(const std::vector<Setting>& environment,
                                       const std::vector<Setting>& command_line,
                                       const std::string& directory);

// The key that `misspelt` probably meant; empty: none is near.
std::string NearestKey(absl::string_view misspelt);
// The edit distance behind it: insertions, deletions and replacements.
size_t EditDistance(absl::string_view a, absl::string_view b);

const char* ProfileName(Profile profile);
const char* StackDetailName(StackDetail stacks);
const char* OrderActionName(OrderAction order);

}  // namespace lockwarden
