// Order matters here: whatever can fail with a usage error comes before PROGRAM.
#include "watchdog/run_command.h"

#include <unistd.h>

#include <climits>
#include <cstdlib>
#include <memory>

#include "absl/strings/str_cat.h"
#include "watchdog/incident.h"
#include "watchdog/preflight.h"
#include "watchdog/preload_env.h"
#include "watchdog/session_files.h"

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

ExitStatus RunCommand(const RunRequest& request) {
  Options options = request.options;
  ReportSink notices = ReportSink::Stderr();
  const auto library = FindPreload(ExecutableDirectory());
  if (!library.ok()) return Fail(&notices, library.status().message());

  IncidentWriter writer(options.incidents);
  const absl::Status writable = writer.Check();
  if (!writable.ok() && options.incidents_given) return Fail(&notices, writable.message());

  const auto files = SessionFiles::Open(&options);
  if (!files.ok()) return Fail(&notices, files.status().message());
  auto registrar = Registrar::Create(Registrar::DefaultParents());
  if (!registrar.ok()) return Fail(&notices, registrar.status().message());

  const auto desk = (*files)->MakeDesk(options, writable.ok() ? &writer : nullptr, &notices);
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
  setup.desk = desk.get();
  setup.rules = &(*files)->rules();
  setup.make_metrics_server = request.make_metrics_server;
  Supervisor supervisor(std::move(setup));
  if (const absl::Status status = supervisor.StartMetrics(); !status.ok()) {
    return Fail(&notices, status.message());  // names the address
  }
  if (!writable.ok()) {
    desk->Notice(absl::StrCat("no incidents will be written: ", writable.message()));
  }
  if (options.exitcode_given && options.profile == Profile::kProduction) {
    desk->Notice("exitcode means nothing with profile=production");
  }
  if (!preflight.records) {
    desk->Notice(absl::StrCat(request.argv[0], " ", preflight.reason,
                             ": its locks cannot be recorded; it is supervised without"));
  }
  const ExitStatus status = supervisor.Run();
  (*files)->WriteBaseline(options, desk.get());
  return status;
}

}  // namespace lockwarden
