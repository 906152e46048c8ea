// CommandLine: what stands on the command line of `lockwarden`, taken apart but not yet
// believed. Values are looked at by watchdog/options.h.
// Thread safety: a value and pure functions.
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "watchdog/options.h"

namespace lockwarden {

struct CommandLine {
  enum class What {
    kRun, kServe, kInspect, kTop, kReport, kSelftest, kHelper, kHelp, kVersion, kNothing
  } what = What::kNothing;
  std::vector<Setting> settings;
  std::vector<std::string> program;  // with its arguments; kRun: never empty
  std::vector<std::string> arguments;  // kInspect, kTop, kReport, kSelftest: what follows the command
  std::string help_on;                 // kHelp: a command; empty: all
};

// `args` without argv[0]. Options end at "--" or at the first word that is none.
// Errors: kInvalidArgument, one line.
absl::StatusOr<CommandLine> ParseCommandLine(const std::vector<std::string>& args);

// The whole of --help.
std::string HelpText();

}  // namespace lockwarden
