// The `lockwarden` command: takes the command line apart and calls what was asked for.
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include "runtime/ledger.h"
#include "watchdog/build_id.h"
#include "watchdog/command_line.h"
#include "watchdog/inspect/inspect_command.h"
#include "watchdog/inspect/inspect_options.h"
#include "watchdog/command_table.h"
#include "watchdog/metrics_server.h"
#include "watchdog/helper_command.h"
#include "watchdog/report/report_command.h"
#include "watchdog/run_command.h"
#include "watchdog/selftest/selftest_command.h"
#include "watchdog/serve_command.h"
#include "watchdog/session_files.h"
#include "watchdog/shipped_text.h"
#include "watchdog/top_command.h"

namespace lockwarden {
namespace {

ExitStatus UsageError(absl::string_view why) {
  const std::string line = "lockwarden: " + std::string(why) + "\n";
  std::fwrite(line.data(), 1, line.size(), stderr);
  return {kExitUsage, 0};
}

ExitStatus Print(const std::string& text) {
  const bool written =
      std::fwrite(text.data(), 1, text.size(), stdout) == text.size() && std::fflush(stdout) == 0;
  return {written ? 0 : 1, 0};
}

std::string CurrentDirectory() {
  char* path = getcwd(nullptr, 0);
  std::string result = path == nullptr ? "." : path;
  free(path);
  return result;
}

// The same run, without --print, as a service manager would start it.
RunNames NamesOf(const Options& options, const CommandLine& line) {
  RunNames names;
  const std::string program = line.program.empty() ? "./server" : line.program[0];
  names.program = program.substr(program.rfind('/') + 1);
  names.metrics = options.metrics;
  char own[4096];
  const ssize_t size = readlink("/proc/self/exe", own, sizeof own);
  std::vector<std::string> words = {
      size > 0 ? std::string(own, static_cast<size_t>(size)) : "lockwarden", "run"};
  for (const Setting& setting : line.settings) {
    if (setting.key != "print") words.push_back("--" + setting.key + "=" + setting.value);
  }
  words.push_back("--");
  words.push_back(program);
  for (size_t i = 1; i < line.program.size(); ++i) words.push_back(line.program[i]);
  for (const std::string& word : words) {
    if (!names.command.empty()) names.command += ' ';
    if (word.find_first_of(" \t\"'\\$%;") == std::string::npos) {
      names.command += word;
      continue;
    }
    names.command += '"';
    for (const char c : word) {
      if (c == '"' || c == '\\') names.command += '\\';
      if (c == '$' || c == '%') names.command += c;  // systemd would expand it
      names.command += c;
    }
    names.command += '"';
  }
  return names;
}

ExitStatus Serve(const CommandLine& line) {
  ServeRequest request;
  for (const Setting& setting : line.settings) {
    if (setting.key == "metrics") {
      request.metrics = setting.value;
    } else if (setting.key == "file_sd") {
      request.file_sd = setting.value;
    } else if (setting.key == "metrics_password") {
      const auto credentials = ReadCredentials(setting.value);
      if (!credentials.ok()) return UsageError(credentials.status().message());
      request.credentials = *credentials;
    } else {
      return UsageError("serve: unknown option --" + setting.key);
    }
  }
  const absl::Status status = ServeCommand(request);
  return status.ok() ? ExitStatus{0, 0} : UsageError(status.message());
}

ExitStatus Inspect(const std::vector<std::string>& arguments) {
  const auto request = ParseInspect(arguments);
  if (!request.ok()) return UsageError(request.status().message());
  return {InspectCommand(*request), 0};
}

ExitStatus MakeReport(const std::vector<std::string>& arguments) {
  const auto request = ParseReport(arguments);
  return request.ok() ? ReportCommand(*request) : UsageError(request.status().message());
}

ExitStatus Top(const std::vector<std::string>& arguments) {
  const auto request = ParseTop(arguments);
  if (!request.ok()) return UsageError(request.status().message());
  const absl::Status status = TopCommand(*request);
  if (status.ok()) return {0, 0};
  UsageError(status.message());
  return {1, 0};
}

ExitStatus Main(const std::vector<std::string>& args, const InheritedState& inherited) {
  const auto line = ParseCommandLine(args);
  if (line.ok() && line->what == CommandLine::What::kHelper) {
    return HelperCommand(inherited, MakeMetricsServer);
  }
  const char* variable = getenv(ledger::kOptionsVariable);
  const std::string from_environment = variable == nullptr ? "" : variable;
  if (AsksForHelp(from_environment)) return Print(DescribeOptions(FindCommand("run")->options, ""));

  if (!line.ok()) return UsageError(line.status().message());
  switch (line->what) {
    case CommandLine::What::kHelp:
      return Print(line->help_on.empty() ? HelpText() : DescribeCommand(*FindCommand(line->help_on)));
    case CommandLine::What::kVersion:
      return Print("lockwarden " LOCKWARDEN_VERSION " (build id " + OwnBuildId() + ")\n");
    case CommandLine::What::kNothing:
      std::fputs(HelpText().c_str(), stderr);
      return {kExitUsage, 0};
    case CommandLine::What::kServe:
      return Serve(*line);
    case CommandLine::What::kInspect:
      return Inspect(line->arguments);
    case CommandLine::What::kReport:
      return MakeReport(line->arguments);
    case CommandLine::What::kTop:
      return Top(line->arguments);
    case CommandLine::What::kSelftest:
      return SelftestCommand(line->arguments);
    case CommandLine::What::kRun:
    case CommandLine::What::kHelper:
      break;
  }
  const auto environment = ParseOptionsVariable(from_environment);
  if (!environment.ok()) return UsageError(environment.status().message());
  const auto options = ResolveOptions(*environment, line->settings, CurrentDirectory());
  if (!options.ok()) return UsageError(options.status().message());
  if (!options->print.empty()) {
    return Print(ShippedText(options->print, NamesOf(*options, *line)));
  }
  if (line->program.empty()) {
    return UsageError("no program to run; usage: lockwarden run [options] -- PROGRAM [ARG...]");
  }
  RunRequest request;
  request.options = *options;
  request.argv = line->program;
  for (char** variable_at = environ; *variable_at != nullptr; ++variable_at) {
    request.environment.emplace_back(*variable_at);
  }
  request.inherited = &inherited;
  request.make_metrics_server = MakeMetricsServer;
  return RunCommand(request);
}

}  // namespace
}  // namespace lockwarden

int main(int argc, char** argv) {
  const auto inherited = lockwarden::InheritedState::TakeOver();
  lockwarden::LeaveWith(
      lockwarden::Main(std::vector<std::string>(argv + 1, argv + argc), inherited));
}
