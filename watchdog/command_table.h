// Every command of `lockwarden` with its options: the one table that --help, the manual pages and
// shell completion are made from, so that they cannot drift apart.
//
// Thread safety: immutable after the first call.
#pragma once

#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/types/span.h"

namespace lockwarden {

struct CommandOption {
  const char* name;           // with underscores; hyphens work too
  const char* syntax;         // "test|production", "DIR", "FILE"; of a switch: ""
  const char* default_value;  // as shown in --help
  const char* help;           // lines are separated by newlines
  bool is_switch = false;     // may stand without a value
};

struct CommandInfo {
  const char* name;
  const char* usage;        // what follows the name
  const char* summary;      // one line, without a full stop
  const char* description;  // sentences; paragraphs are separated by an empty line
  std::vector<CommandOption> options;
};

const std::vector<CommandInfo>& Commands();
// Null: there is none of that name.
const CommandInfo* FindCommand(absl::string_view name);

// "--key=SYNTAX  (default: ...)", and what it is, for each of them.
std::string DescribeOptions(absl::Span<const CommandOption> options, absl::string_view prefix);
// The whole of `lockwarden COMMAND --help`.
std::string DescribeCommand(const CommandInfo& command);

inline constexpr char kReportFormats[] = "text|json|html|sarif|junit|dot|svg|folded|github";

}  // namespace lockwarden
