// Order matters here: whatever can fail with a usage error comes before PROGRAM.
#include "watchdog/run_command.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <climits>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <optional>

#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "watchdog/baseline.h"
#include "watchdog/incident.h"
#include "watchdog/order_rules.h"
#include "watchdog/preflight.h"
#include "watchdog/preload_env.h"
#include "watchdog/report/lock_graph_save.h"
#include "watchdog/suppressions.h"
#include "watchdog/text_file.h"

namespace lockwarden {
namespace {

// The directory our executable is in; symbolic links to it are followed.
std::string ExecutableDirectory() {
  char path[PATH_MAX];
  const ssize_t size = readlink("/proc/self/exe", path, sizeof path);
  const std::string executable(path, size < 0 ? 0 : static_cast<size_t>(size));
  return executable.substr(0, executable.rfind('/'));
}

ExitStatus Fail(ReportSink* notices, absl::string_view why) {
  notices->Write(absl::StrCat("lockwarden: ", why, "\n"));
  return {kExitUsage, 0};
}

}  // namespace

absl::StatusOr<std::string> ReadCredentials(const std::string& path) {
  const UniqueFd fd(open(path.c_str(), O_RDONLY | O_CLOEXEC));
  struct stat status {};
  char text[256];
  const ssize_t size = fd.valid() ? read(fd.get(), text, sizeof text) : -1;
  if (size < 0 || fstat(fd.get(), &status) != 0) {
    return absl::InvalidArgumentError(absl::StrCat(path, ": ", std::strerror(errno)));
  }
  // A password that others can read is worth an error.
  if ((status.st_mode & (S_IRGRP | S_IROTH)) != 0) {
    return absl::InvalidArgumentError(absl::StrCat(path, ": others can read it; chmod 600"));
  }
  absl::string_view line(text, static_cast<size_t>(size));
  line = absl::StripSuffix(line, "\n");
  const size_t colon = line.find(':');
  if (colon == 0 || colon == line.npos || colon + 1 == line.size() || line.size() == sizeof text ||
      line.find('\n') != line.npos) {
    return absl::InvalidArgumentError(absl::StrCat(path, ": must be one line, user:password"));
  }
  return std::string(line);
}

ExitStatus RunCommand(const RunRequest& request) {
  Options options = request.options;
  ReportSink notices = ReportSink::Stderr();
  const auto library = FindPreload(ExecutableDirectory());
  if (!library.ok()) return Fail(&notices, library.status().message());

  IncidentWriter writer(options.incidents);
  const absl::Status writable = writer.Check();
  if (!writable.ok() && options.incidents_given) return Fail(&notices, writable.message());

  if (!options.metrics_password.empty()) {
    auto credentials = ReadCredentials(options.metrics_password);
    if (!credentials.ok()) {
      return Fail(&notices, absl::StrCat("metrics_password: ", credentials.status().message()));
    }
    options.metrics_credentials = *std::move(credentials);
  }
  OrderRules rules;
  if (!options.rules.empty()) {
    auto loaded = OrderRules::Load(options.rules);
    if (!loaded.ok()) return Fail(&notices, absl::StrCat("rules: ", loaded.status().message()));
    rules = *std::move(loaded);
  }
  std::optional<Suppressions> suppressions;
  if (!options.suppressions.empty()) {
    auto loaded = Suppressions::Load(options.suppressions);
    if (!loaded.ok()) {
      return Fail(&notices, absl::StrCat("suppressions: ", loaded.status().message()));
    }
    suppressions = *std::move(loaded);
  }
  std::optional<Baseline> baseline;
  if (!options.baseline.empty()) {
    auto loaded = Baseline::Load(options.baseline);
    if (!loaded.ok()) return Fail(&notices, absl::StrCat("baseline: ", loaded.status().message()));
    baseline = *std::move(loaded);
  }
  std::unique_ptr<ReportSink> file;
  if (!options.report.empty()) {
    auto opened = ReportSink::File(options.report);
    if (!opened.ok()) return Fail(&notices, opened.status().message());
    file = std::make_unique<ReportSink>(*std::move(opened));
  }
  auto registrar = Registrar::Create(Registrar::DefaultParents());
  if (!registrar.ok()) return Fail(&notices, registrar.status().message());

  FindingDesk desk(options, writable.ok() ? &writer : nullptr,
                   file == nullptr ? &notices : file.get(), &notices);
  desk.Filter(suppressions.has_value() ? &*suppressions : nullptr,
              baseline.has_value() ? &*baseline : nullptr);
  if (!options.write_baseline.empty()) {
    // What cannot be written is said before PROGRAM has run for an hour.
    const absl::Status status = CheckReplaceable(options.write_baseline);
    if (!status.ok()) return Fail(&notices, absl::StrCat("write_baseline: ", status.message()));
  }
  if (!options.lock_graph.empty()) {
    const absl::Status status = CheckLockGraphDirectory(options.lock_graph);
    if (!status.ok()) return Fail(&notices, absl::StrCat("lock_graph: ", status.message()));
  }
  const std::string path = FindProgram(request.argv[0], getenv("PATH"));
  const PreflightResult preflight = path.empty() ? PreflightResult{} : Preflight(path);

  Supervisor::Setup setup;
  setup.options = options;
  setup.argv = request.argv;
  std::vector<std::string> environment = request.environment;
  if (options.notify != NotifyWho::kOff) {
    setup.service = ServiceManager::Find(environment, getpid());
    environment = ServiceManager::Without(std::move(environment),
                                          options.notify == NotifyWho::kProgram);
  }
  setup.environment = BuildEnvironment(environment,
                                       {preflight.preload ? *library : "",
                                        (*registrar)->variable(), RecorderOptions(options),
                                        preflight.address_sanitizer});
  setup.hook_environment = request.environment;
  if (const char* stream = getenv("JOURNAL_STREAM"); stream != nullptr) {
    setup.journal_stream = stream;
  }
  setup.inherited = request.inherited;
  setup.registrar = registrar->get();
  setup.desk = &desk;
  setup.rules = &rules;
  setup.make_metrics_server = request.make_metrics_server;
  Supervisor supervisor(std::move(setup));
  if (const absl::Status status = supervisor.StartMetrics(); !status.ok()) {
    return Fail(&notices, status.message());  // names the address
  }
  if (!writable.ok()) {
    desk.Notice(absl::StrCat("no incidents will be written: ", writable.message()));
  }
  if (options.exitcode_given && options.profile == Profile::kProduction) {
    desk.Notice("exitcode means nothing with profile=production");
  }
  if (!preflight.records) {
    desk.Notice(absl::StrCat(request.argv[0], " ", preflight.reason,
                             ": its locks cannot be recorded; it is supervised without"));
  }
  const ExitStatus status = supervisor.Run();
  if (!options.write_baseline.empty()) {
    const absl::Status written = ReplaceTextFile(options.write_baseline, desk.NewBaseline());
    if (!written.ok()) desk.Notice(absl::StrCat("write_baseline: ", written.message()));
  }
  return status;
}

}  // namespace lockwarden
