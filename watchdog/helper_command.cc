// Takes over what the preload left open, and runs the loop.
#include "watchdog/helper_command.h"

#include <fcntl.h>
#include <sched.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <memory>
#include <string>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "runtime/helper_call.h"
#include "runtime/ledger.h"
#include "watchdog/registrar.h"
#include "watchdog/session_files.h"

namespace lockwarden {
namespace {

constexpr size_t kToken = sizeof(ledger::Hello::token);

ExitStatus Fail(ReportSink* notices, absl::string_view why) {
  notices->Write(absl::StrCat("lockwarden: ", why, "\n"));
  return {kExitUsage, 0};
}

// Whose pidfd it is, as we call it; 0: it has ended, or is in another pid namespace.
int PidOf(const UniqueFd& pidfd) {
  std::ifstream facts(absl::StrCat("/proc/self/fdinfo/", pidfd.get()));
  for (std::string line; std::getline(facts, line);) {
    absl::string_view value = line;
    int pid = 0;
    if (absl::ConsumePrefix(&value, "Pid:") && absl::SimpleAtoi(value, &pid))
      return std::max(pid, 0);
  }
  return 0;
}

std::string CurrentDirectory() {
  const std::unique_ptr<char, decltype(&free)> path(getcwd(nullptr, 0), &free);
  return path == nullptr ? "/" : path.get();
}

// The environment is the program's, less what concerns the helper alone.
std::vector<std::string> HookEnvironment() {
  std::vector<std::string> variables;
  for (char** entry = environ; *entry != nullptr; ++entry) {
    if (std::strncmp(*entry, "LOCKWARDEN_", 11) != 0) variables.emplace_back(*entry);
  }
  return variables;
}

absl::StatusOr<Options> OptionsForHelper(const std::string& directory) {
  const char* variable = getenv(ledger::kOptionsVariable);
  // The recorder has printed the help that was asked for.
  auto given = ParseOptionsVariable(variable == nullptr || AsksForHelp(variable) ? "" : variable);
  if (!given.ok()) return given.status();
  given->insert(given->begin(), Setting{"profile", "production"});
  auto options = ResolveOptions(*given, {}, directory);
  if (!options.ok()) return options.status();
  options->restart = RestartWhen::kNever;
  return options;
}

}  // namespace

BorrowedStderr::BorrowedStderr() { given_back_ = fstat(STDERR_FILENO, &file_) != 0; }

bool BorrowedStderr::IsOfProcess(int pid) const {
  struct stat theirs {};
  if (stat(absl::StrCat("/proc/", pid, "/fd/", STDERR_FILENO).c_str(), &theirs) != 0) {
    return errno != ENOENT;
  }
  return theirs.st_dev == file_.st_dev && theirs.st_ino == file_.st_ino;
}

void BorrowedStderr::Look(const std::vector<int>& pids) {
  if (given_back_ || pids.empty()) return;
  for (int pid : pids) {
    if (IsOfProcess(pid)) {
      missed_ = false;
      return;
    }
  }
  // A process that is just ending has closed it, and its last report is to be written.
  if (!std::exchange(missed_, true)) return;
  const UniqueFd nowhere(open("/dev/null", O_RDWR | O_CLOEXEC));
  given_back_ = nowhere.valid() && dup2(nowhere.get(), STDERR_FILENO) == STDERR_FILENO;
}

ExitStatus HelperCommand(const InheritedState& inherited,
                         MetricsServerFactory make_metrics_server) {
  ReportSink notices = ReportSink::Stderr();
  const char* socket = getenv(ledger::kSocketVariable);
  const std::string variable = socket == nullptr ? "" : socket;
  struct stat at_ledger {};
  if (variable.size() <= kToken + 1 || variable[kToken] != ':' ||
      fstat(ledger::kHelperLedger, &at_ledger) != 0) {
    return Fail(&notices,
                "watch is what LD_PRELOAD=liblockwarden_preload.so starts; to supervise a "
                "program: lockwarden run -- PROGRAM");
  }
  Registration program;
  UniqueFd listener(ledger::kHelperListener);
  program.pidfd = UniqueFd(ledger::kHelperProgram);
  for (int fd = ledger::kHelperLedger; fd < ledger::kHelperDescriptors; ++fd) {
    fcntl(fd, F_SETFD, FD_CLOEXEC);
  }
  // The program's urgency is not ours.
  const sched_param ordinary{};
  sched_setscheduler(0, SCHED_OTHER, &ordinary);
  auto reader = LedgerReader::FromDescriptor(ledger::kHelperLedger);
  if (!reader.ok()) return Fail(&notices, reader.status().message());
  program.reader = *std::move(reader);
  program.pid = PidOf(program.pidfd);
  if (program.pid == 0) program.pid = static_cast<int>(program.reader->identity().ledger_pid);

  auto options = OptionsForHelper(CurrentDirectory());
  if (!options.ok()) return Fail(&notices, options.status().message());
  const auto files = SessionFiles::Open(&*options);
  if (!files.ok()) return Fail(&notices, files.status().message());
  if (chdir("/") != 0) return Fail(&notices, std::strerror(errno));
  IncidentWriter writer(options->incidents);
  // Whether they can be written is seen when there is one.
  const auto desk = (*files)->MakeDesk(*options, &writer, &notices);
  const auto registrar = Registrar::Adopt(std::move(listener), variable.substr(0, kToken),
                                          variable.substr(kToken + 1));
  BorrowedStderr standard_error;

  Supervisor::Setup setup;
  setup.options = *options;
  setup.argv = {program.reader->identity().program};
  setup.hook_environment = HookEnvironment();
  setup.inherited = &inherited;
  setup.registrar = registrar.get();
  setup.desk = desk.get();
  setup.rules = &(*files)->rules();
  setup.make_metrics_server = std::move(make_metrics_server);
  setup.attached = &program;
  setup.on_tick = [&standard_error](const std::vector<int>& pids) { standard_error.Look(pids); };
  Supervisor supervisor(std::move(setup));
  if (const absl::Status status = supervisor.StartMetrics(); !status.ok()) {
    return Fail(&notices, status.message());
  }
  supervisor.Run();
  (*files)->WriteBaseline(*options, desk.get());
  return {0, 0};
}

}  // namespace lockwarden
