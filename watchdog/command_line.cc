// The grammar of the command line, and the help text.
#include "watchdog/command_line.h"

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "runtime/helper_call.h"
#include "watchdog/command_table.h"

namespace lockwarden {
namespace {

absl::StatusOr<CommandLine> ParseRun(const std::vector<std::string>& args) {
  CommandLine line;
  line.what = CommandLine::What::kRun;
  size_t i = 1;
  for (; i < args.size(); ++i) {
    const std::string& arg = args[i];
    if (arg == "--") {
      ++i;
      break;
    }
    if (arg == "--help" || arg == "-h") {
      line.what = CommandLine::What::kHelp;
      return line;
    }
    if (absl::StartsWith(arg, "--help=")) {
      return absl::InvalidArgumentError("--help takes no value");
    }
    if (arg.empty() || arg[0] != '-' || arg == "-") break;
    if (!absl::StartsWith(arg, "--")) {
      return absl::InvalidArgumentError(
          absl::StrCat("unknown option ", arg, "; options are written --key=value"));
    }
    const size_t equals = arg.find('=');
    if (equals != std::string::npos) {
      line.settings.push_back({arg.substr(2, equals - 2), arg.substr(equals + 1)});
    } else if (IsSwitch(arg.substr(2))) {
      line.settings.push_back({arg.substr(2), "yes"});
    } else if (i + 1 < args.size() && args[i + 1] != "--") {
      line.settings.push_back({arg.substr(2), args[i + 1]});
      ++i;
    } else {
      // A key that does not exist is the better thing to complain about.
      const auto known = ResolveOptions({}, {{arg.substr(2), ""}}, "");
      if (!known.ok() && absl::StrContains(known.status().message(), "unknown option")) {
        return known.status();
      }
      return absl::InvalidArgumentError(absl::StrCat(arg, " needs a value"));
    }
  }
  line.program.assign(args.begin() + static_cast<std::ptrdiff_t>(i), args.end());
  return line;
}

CommandLine HelpOn(const std::string& command) {
  CommandLine line;
  line.what = CommandLine::What::kHelp;
  line.help_on = command;
  return line;
}

// A command that takes its arguments apart itself.
CommandLine ParseRequest(CommandLine::What what, const std::vector<std::string>& args) {
  CommandLine line;
  line.what = what;
  line.arguments.assign(args.begin() + 1, args.end());
  for (const std::string& argument : line.arguments) {
    if (argument == "--") break;
    if (argument == "--help" || argument == "-h") return HelpOn(args[0]);
  }
  return line;
}

// --key=value only; what the keys are is the exporter's business.
absl::StatusOr<CommandLine> ParseServe(const std::vector<std::string>& args) {
  CommandLine line;
  line.what = CommandLine::What::kServe;
  for (size_t i = 1; i < args.size(); ++i) {
    if (args[i] == "--help" || args[i] == "-h") return HelpOn("serve");
    const size_t equals = args[i].find('=');
    if (!absl::StartsWith(args[i], "--") || equals == std::string::npos) {
      return absl::InvalidArgumentError(
          absl::StrCat("serve: ", args[i], ": options are written --key=value"));
    }
    line.settings.push_back({absl::StrReplaceAll(args[i].substr(2, equals - 2), {{"-", "_"}}),
                             args[i].substr(equals + 1)});
  }
  return line;
}

}  // namespace

absl::StatusOr<CommandLine> ParseCommandLine(const std::vector<std::string>& args) {
  CommandLine line;
  if (args.empty()) return line;
  if (args[0] == "--help" || args[0] == "-h" || args[0] == "help") {
    line.what = CommandLine::What::kHelp;
    return line;
  }
  if (args[0] == "--version") {
    line.what = CommandLine::What::kVersion;
    return line;
  }
  if (args[0] == "run") return ParseRun(args);
  if (args[0] == "serve") return ParseServe(args);
  if (args[0] == "inspect") return ParseRequest(CommandLine::What::kInspect, args);
  if (args[0] == "top") return ParseRequest(CommandLine::What::kTop, args);
  if (args[0] == "report") return ParseRequest(CommandLine::What::kReport, args);
  if (args[0] == "selftest") return ParseRequest(CommandLine::What::kSelftest, args);
  if (args.size() == 1 && args[0] == ledger::kHelperCommand) {  // for the preload alone: not in --help
    line.what = CommandLine::What::kHelper;
    return line;
  }
  const bool option = absl::StartsWith(args[0], "-");
  return absl::InvalidArgumentError(absl::StrCat("unknown ", option ? "option " : "command ",
                                                 args[0], option ? " before a command" : "",
                                                 "; try lockwarden run -- PROGRAM"));
}

std::string HelpText() {
  std::string usage;
  for (const CommandInfo& command : Commands()) {
    absl::StrAppend(&usage, usage.empty() ? "usage: " : "       ", "lockwarden ", command.name, " ",
                    command.usage, "\n           ", command.summary, "\n");
  }
  return absl::StrCat(
      "Lockwarden finds, detects, explains and recovers from deadlocks.\n\n", usage,
      "       lockwarden COMMAND --help | --help | --version\n\n"
      "Options of run (--key=value or --key value; hyphens for underscores work too). Each is\n"
      "also a key of LOCKWARDEN_OPTIONS=\"key=value,key=value\"; the command line wins.\n\n",
      DescribeOptions(FindCommand("run")->options, "--"),
      "\nDurations take units: 200ms, 5s, 2m.\n\n"
      "Exit codes: the program's own; exitcode (66) for findings with profile=test; 64 for a\n"
      "usage error; 69 when the restarts are used up; 126 or 127 when PROGRAM cannot be\n"
      "executed or found. A program that dies of a signal makes run die of the same one.\n"
      "inspect: 0 when nothing is deadlocked, 66 for a deadlock, 1 when it could not look.\n");
}

}  // namespace lockwarden
