// The table of keys, and how values become Options.
#include "watchdog/options.h"

#include <algorithm>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "watchdog/stop_policy.h"

namespace lockwarden {
namespace {

absl::Status Bad(absl::string_view what) { return absl::InvalidArgumentError(what); }

// Finds `value` among "a|b|c"; hyphens and underscores are the same. -1: not there.
int Choice(absl::string_view value, absl::string_view choices) {
  const std::string normal = absl::StrReplaceAll(value, {{"_", "-"}});
  int index = 0;
  for (absl::string_view choice : absl::StrSplit(choices, '|')) {
    if (choice == normal) return index;
    ++index;
  }
  return -1;
}

template <class Enum>
absl::Status SetChoice(absl::string_view value, absl::string_view choices, Enum* out) {
  const int index = Choice(value, choices);
  if (index < 0) {
    return Bad(absl::StrCat("must be one of ", absl::StrReplaceAll(choices, {{"|", ", "}})));
  }
  *out = static_cast<Enum>(index);
  return absl::OkStatus();
}

absl::Status SetDuration(absl::string_view value, absl::Duration* out) {
  absl::Duration parsed;
  if (!absl::ParseDuration(value, &parsed) || parsed < absl::ZeroDuration() ||
      parsed > absl::Hours(24 * 365)) {
    return Bad("must be a duration with its unit, such as 200ms, 5s or 2m");
  }
  *out = parsed;
  return absl::OkStatus();
}

absl::Status SetNumber(absl::string_view value, int low, int high, int* out) {
  int parsed = 0;
  if (!absl::SimpleAtoi(value, &parsed) || parsed < low || parsed > high) {
    return Bad(absl::StrCat("must be a number from ", low, " to ", high));
  }
  *out = parsed;
  return absl::OkStatus();
}

absl::Status SetMetrics(absl::string_view value, Options* options) {
  if (value == "off") return options->metrics.clear(), absl::OkStatus();
  if (value.empty()) return Bad("must be ADDR:PORT, such as 127.0.0.1:9464, or off");
  options->metrics = std::string(value);
  return absl::OkStatus();
}

absl::Status SetMetricsPassword(absl::string_view value, Options* options) {
  if (value.empty()) return Bad("must name a file with one line, user:password");
  options->metrics_password = std::string(value);
  return absl::OkStatus();
}

absl::Status SetTextfile(absl::string_view value, Options* options) {
  if (value == "none") return options->textfile.clear(), absl::OkStatus();
  if (value.size() < 6 || value.substr(value.size() - 5) != ".prom") {
    return Bad("must name a file that ends in .prom");
  }
  options->textfile = std::string(value);
  return absl::OkStatus();
}

constexpr char kPrints[] = "rules|dashboard|unit|probes";
absl::Status SetPrint(absl::string_view value, Options* options) {
  if (value == "none") return options->print.clear(), absl::OkStatus();
  if (Choice(value, kPrints) < 0) return Bad("must be one of rules, dashboard, unit, probes");
  options->print = std::string(value);
  return absl::OkStatus();
}

absl::Status SetIncidents(absl::string_view value, Options* options) {
  if (value.empty()) return Bad("must name a directory");
  options->incidents = options->incidents_shown = std::string(value);
  options->incidents_given = true;
  return absl::OkStatus();
}

absl::Status SetReport(absl::string_view value, Options* options) {
  if (value.empty()) return Bad("must be stderr or name a file");
  options->report = value == "stderr" ? "" : std::string(value);
  return absl::OkStatus();
}

absl::Status SetFile(absl::string_view value, std::string* file) {
  if (value.empty()) return Bad("must name a file");
  *file = std::string(value);
  return absl::OkStatus();
}

absl::Status SetStopSignal(absl::string_view value, Options* options) {
  if (value == "none") return options->on_stop = 0, absl::OkStatus();
  const std::optional<int> signal = ParseSignal(value);
  if (!signal.has_value()) return Bad("must be a signal that can be caught, such as TERM or QUIT");
  options->on_stop = *signal;
  return absl::OkStatus();
}

template <class Ladders>
absl::Status SetLadder(absl::string_view value, absl::string_view actions, Ladders* out) {
  absl::StatusOr<Ladders> parsed = Ladders::Parse(value, actions);
  if (parsed.ok()) *out = *std::move(parsed);
  return parsed.status();
}

constexpr char kProfiles[] = "test|production";
constexpr char kActions[] = "report|dump|abort|restart";
constexpr char kStallActions[] = "note|report|dump|abort|restart";
constexpr char kRestarts[] = "never|on-failure|always";
constexpr char kFormats[] = "text|json";
constexpr char kStacks[] = "full|site|off";
constexpr char kNotifies[] = "own|program|off";
constexpr char kPredicts[] = "locks|joins|classes";
constexpr char kYesNo[] = "yes|no";
constexpr char kDeaths[] = "go-on|end";
constexpr char kWatchdogs[] = "helper|off";
constexpr char kOrders[] = "off|report|throw|abort";
constexpr int kMostRestarts = 1000000;

const OptionKey kKeys[] = {
    {"profile", kProfiles, "test",
     "test: predict and report; findings turn exit code 0 into `exitcode`\n"
     "production: detect and export; the program's own exit code is kept",
     [](absl::string_view v, Options* o) { return SetChoice(v, kProfiles, &o->profile); }},
    {"on_deadlock", "report|dump|abort|restart[:DELAY][+...]",
     "abort; with profile=production: report",
     "what happens to the process that is deadlocked, after the report: dump: gcore writes a core\n"
     "of it while it lives; abort: SIGABRT, and SIGKILL 5s later; restart: PROGRAM and all its\n"
     "children are killed, then PROGRAM starts again. dump+abort:20s+restart:1m: one after the\n"
     "other, each so long after the one before (10s if not said)",
     [](absl::string_view v, Options* o) {
       o->on_deadlock_given = true;
       return SetLadder(v, kActions, &o->on_deadlock);
     }},
    {"on_stall", "note|report|dump|abort|restart[:DELAY][+...][;CAUSE=...]", "report",
     "what happens to a process whose heartbeats stay away: as for on_deadlock, the first step\n"
     "after stall_grace; abort signals the thread that does not beat, so that the core shows it;\n"
     "note: a line first, the report with the next step. abort;starved=report: another for CAUSE",
     [](absl::string_view v, Options* o) { return SetLadder(v, kStallActions, &o->on_stall); }},
    {"stall_grace", "DURATION", "10s", "see on_stall",
     [](absl::string_view v, Options* o) { return SetDuration(v, &o->stall_grace); }},
    {"stall_quorum", "N", "1",
     "how many heartbeats must miss at a time for on_stall; an essential one is enough alone",
     [](absl::string_view v, Options* o) { return SetNumber(v, 1, 1000000, &o->stall_quorum); }},
    {"wait_limit", "DURATION", "0; with profile=production: 1m",
     "a wait for one lock longer than this is reported as a stall; 0: none is",
     [](absl::string_view v, Options* o) {
       o->wait_limit_given = true;
       return SetDuration(v, &o->wait_limit);
     }},
    {"restart", kRestarts, "never; with on_deadlock=restart or on_stall=restart: on-failure",
     "when PROGRAM is started again after it has ended",
     [](absl::string_view v, Options* o) {
       o->restart_given = true;
       return SetChoice(v, kRestarts, &o->restart);
     }},
    {"restart_delay", "DURATION", "100ms",
     "pause before a restart; doubles with each restart within restart_window, up to 30s",
     [](absl::string_view v, Options* o) { return SetDuration(v, &o->restart_delay); }},
    {"restart_max", "N", "5", "restarts allowed within restart_window; then exit code 69",
     [](absl::string_view v, Options* o) {
       return SetNumber(v, 0, kMostRestarts, &o->restart_max);
     }},
    {"restart_window", "DURATION", "1m", "see restart_max; 0: no limit",
     [](absl::string_view v, Options* o) { return SetDuration(v, &o->restart_window); }},
    {"restart_state", "FILE", "none",
     "keeps the restarts there, so that restart_max also counts those of a supervisor before",
     [](absl::string_view v, Options* o) { return SetFile(v, &o->restart_state); }},
    {"on_stop", "SIGNAL", "none", "what PROGRAM gets for TERM, INT or QUIT; none: the same",
     SetStopSignal},
    {"stop_timeout", "DURATION", "0",
     "then PROGRAM and all its children are killed, or at the second request; 0: never",
     [](absl::string_view v, Options* o) { return SetDuration(v, &o->stop_timeout); }},
    {"on_supervisor_death", kDeaths, "go-on", "end: PROGRAM is killed when Lockwarden is",
     [](absl::string_view v, Options* o) {
       int end = 0;
       const absl::Status status = SetChoice(v, kDeaths, &end);
       o->ends_with_supervisor = end == 1;
       return status;
     }},
    {"metrics", "ADDR:PORT", "off",
     "serve Prometheus metrics at http://ADDR:PORT/metrics, and a status page at /", SetMetrics},
    {"metrics_password", "FILE", "none",
     "who asks for metrics or the page must know what FILE says: one line, user:password",
     SetMetricsPassword},
    {"textfile", "FILE.prom", "none",
     "keep the metrics in FILE too, for node_exporter: it outlives PROGRAM and Lockwarden",
     SetTextfile},
    {"print", kPrints, "none",
     "run nothing; print alert rules for Prometheus, a dashboard for Grafana, a unit for systemd,\n"
     "or probes for Kubernetes that fit the other options and PROGRAM",
     SetPrint},
    {"incidents", "DIR", "./lockwarden-incidents",
     "where each finding leaves a directory with its report and the black box", SetIncidents},
    {"incidents_max", "N", "100",
     "incidents kept there: the oldest are removed when there are more; 0: no limit",
     [](absl::string_view v, Options* o) { return SetNumber(v, 0, 1000000, &o->incidents_max); }},
    {"incidents_mb", "N", "1000", "megabytes that they may take there together; 0: no limit",
     [](absl::string_view v, Options* o) { return SetNumber(v, 0, 1000000000, &o->incidents_mb); }},
    {"on_incident", "CMD", "none",
     "sh -c CMD for each incident, with LOCKWARDEN_INCIDENT (its directory), LOCKWARDEN_KIND,\n"
     "LOCKWARDEN_PID, LOCKWARDEN_HEADLINE and others set",
     [](absl::string_view v, Options* o) {
       o->on_incident = v == "none" ? "" : std::string(v);
       return absl::OkStatus();
     }},
    {"on_incident_timeout", "DURATION", "30s", "then CMD is killed; 0: never",
     [](absl::string_view v, Options* o) { return SetDuration(v, &o->on_incident_timeout); }},
    {"order", kOrders, "none; the program decides",
     "of a program that links the library: what becomes of an acquisition against the lock order,\n"
     "until the program sets a policy itself",
     [](absl::string_view v, Options* o) {
       if (v == "none") return o->order.reset(), absl::OkStatus();
       return SetChoice(v, kOrders, &o->order.emplace(OrderAction::kOff));
     }},
    {"predict", kPredicts, "locks",
     "with profile=test: locks: orders of locks that form a cycle; joins: also of a lock that a\n"
     "joined thread takes; classes: also orders of classes of locks (all that were created, or\n"
     "first taken, at one place). Each is less certain than the one before",
     [](absl::string_view v, Options* o) { return SetChoice(v, kPredicts, &o->predict); }},
    {"rules", "FILE", "none",
     "lines 'order A before B' by class, lock name, variable, function or file:line: to take A\n"
     "while holding B is reported",
     [](absl::string_view v, Options* o) { return SetFile(v, &o->rules); }},
    {"suppressions", "FILE", "none",
     "lines 'KIND:GLOB': findings of that kind (potential_deadlock, misuse, ..., or *) with a\n"
     "function, source file or module of that name in a stack are not told",
     [](absl::string_view v, Options* o) { return SetFile(v, &o->suppressions); }},
    {"baseline", "FILE", "none",
     "findings whose fingerprints it lists are counted, not told; only new ones fail the run",
     [](absl::string_view v, Options* o) { return SetFile(v, &o->baseline); }},
    {"write_baseline", "FILE", "none", "lists the findings of this run there, for baseline",
     [](absl::string_view v, Options* o) { return SetFile(v, &o->write_baseline); }},
    {"lock_graph", "DIR", "none",
     "each process leaves a file there with the lock orders that it went through, at its end, for\n"
     "lockwarden report to merge",
     [](absl::string_view v, Options* o) {
       if (v.empty()) return Bad("must name a directory");
       o->lock_graph = std::string(v);
       return absl::OkStatus();
     }},
    {"verbose", kYesNo, "no",
     "also says what is not told, and why: lock-order cycles that cannot close, and what is\n"
     "suppressed or known",
     [](absl::string_view v, Options* o) {
       int no = 0;
       const absl::Status status = SetChoice(v, kYesNo, &no);
       o->verbose = no == 0;
       return status;
     },
     /*is_switch=*/true},
    {"watchdog", kWatchdogs, "helper",
     "of a program that is preloaded without run, in LOCKWARDEN_OPTIONS: whether a helper process\n"
     "beside it reports and acts, with profile=production unless another is given",
     [](absl::string_view v, Options* o) {
       int off = 0;
       const absl::Status status = SetChoice(v, kWatchdogs, &off);
       o->watchdog = off == 0;
       return status;
     }},
    {"report", "stderr|FILE", "stderr", "where reports go; a file is appended to", SetReport},
    {"format", kFormats, "text", "json: one object a line, one line a finding",
     [](absl::string_view v, Options* o) { return SetChoice(v, kFormats, &o->format); }},
    {"stacks", kStacks, "full", "what is remembered of each acquisition: stack, site, or neither",
     [](absl::string_view v, Options* o) { return SetChoice(v, kStacks, &o->stacks); }},
    {"notify", kNotifies, "own",
     "who tells the service manager at NOTIFY_SOCKET that PROGRAM is ready: run itself once it is\n"
     "started, or program, which then gets the socket; run says how it is; off: nobody of us does",
     [](absl::string_view v, Options* o) { return SetChoice(v, kNotifies, &o->notify); }},
    {"exitcode", "N", "66",
     "with profile=test: replaces exit code 0, and our own abort, when there were findings;\n"
     "0: the exit code is left alone",
     [](absl::string_view v, Options* o) {
       o->exitcode_given = true;
       return SetNumber(v, 0, 255, &o->exitcode);
     }},
};

std::string Normal(absl::string_view key) { return absl::StrReplaceAll(key, {{"-", "_"}}); }

const OptionKey* Find(absl::string_view key) {
  const std::string normal = Normal(key);
  for (const OptionKey& candidate : kKeys) {
    if (normal == candidate.name) return &candidate;
  }
  return nullptr;
}

absl::Status Apply(const std::vector<Setting>& settings, absl::string_view origin,
                   absl::string_view prefix, Options* options) {
  for (const Setting& setting : settings) {
    const OptionKey* key = Find(setting.key);
    if (key == nullptr) {
      const std::string nearest = NearestKey(setting.key);
      return Bad(absl::StrCat(origin, "unknown option ", prefix, setting.key,
                              nearest.empty()
                                  ? std::string("; see lockwarden --help")
                                  : absl::StrCat(" (did you mean ", prefix, nearest, "?)")));
    }
    if (absl::Status status = key->apply(setting.value, options); !status.ok()) {
      return Bad(absl::StrCat(origin, prefix, key->name, "=", setting.value, ": ",
                              status.message()));
    }
  }
  return absl::OkStatus();
}

std::string Absolute(const std::string& path, const std::string& directory) {
  return path.empty() || path[0] == '/' ? path : absl::StrCat(directory, "/", path);
}

}  // namespace

absl::Span<const OptionKey> OptionKeys() { return kKeys; }

bool IsSwitch(absl::string_view key) {
  const OptionKey* const known = Find(key);
  return known != nullptr && known->is_switch;
}

absl::StatusOr<Options> ResolveOptions(const std::vector<Setting>& environment,
                                       const std::vector<Setting>& command_line,
                                       const std::string& directory) {
  Options options;
  absl::Status status = Apply(environment, "LOCKWARDEN_OPTIONS: ", "", &options);
  if (status.ok()) status = Apply(command_line, "", "--", &options);
  if (!status.ok()) return status;
  if (!options.on_deadlock_given && options.profile == Profile::kProduction) {
    options.on_deadlock = DeadlockAction::kReport;
  }
  if (!options.wait_limit_given && options.profile == Profile::kProduction) {
    options.wait_limit = absl::Minutes(1);
  }
  if (!options.restart_given && (options.on_deadlock.Has(DeadlockAction::kRestart) ||
                                 options.on_stall.Has(DeadlockAction::kRestart))) {
    options.restart = RestartWhen::kOnFailure;
  }
  options.incidents = Absolute(options.incidents, directory);
  options.report = Absolute(options.report, directory);
  for (std::string* file : {&options.rules, &options.suppressions, &options.baseline,
                            &options.write_baseline, &options.textfile, &options.lock_graph,
                            &options.restart_state, &options.metrics_password}) {
    *file = Absolute(*file, directory);
  }
  return options;
}

std::string NearestKey(absl::string_view misspelt) {
  const std::string normal = Normal(misspelt);
  std::string nearest;
  size_t best = 3;  // more than two slips is another word
  for (const OptionKey& key : kKeys) {
    const size_t distance = EditDistance(normal, key.name);
    if (distance < best && distance < absl::string_view(key.name).size() / 2 + 1) {
      best = distance;
      nearest = key.name;
    }
  }
  return nearest;
}

}  // namespace lockwarden
