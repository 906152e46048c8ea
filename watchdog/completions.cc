// Completions for bash, zsh and fish; see manual_pages.h.
#include <algorithm>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "watchdog/manual_pages.h"

namespace lockwarden {
namespace {

// What may follow an option: words that are known, a file, a directory.
struct Values {
  std::vector<std::string> words;
  bool files = false, directories = false;
};
Values ValuesOf(const CommandOption& option) {
  Values values;
  for (absl::string_view part : absl::StrSplit(option.syntax, '|')) {
    part = part.substr(0, part.find('['));  // what may follow the word
    if (absl::StartsWith(part, "FILE")) {
      values.files = true;
    } else if (part == "DIR") {
      values.directories = true;
    } else if (!part.empty() && std::all_of(part.begin(), part.end(), [](unsigned char c) {
                 return absl::ascii_islower(c) || c == '-';
               })) {
      values.words.emplace_back(part);
    }
  }
  return values;
}

std::string FirstLine(const char* text) {
  return std::string(absl::string_view(text).substr(0, absl::string_view(text).find('\n')));
}

bool RunsAProgram(const CommandInfo& command) {
  return absl::StrContains(command.usage, "PROGRAM");
}
bool TakesFiles(const CommandInfo& command) { return absl::StrContains(command.usage, "FILE"); }

std::string Names() {
  std::vector<std::string> names;
  for (const CommandInfo& command : Commands()) names.emplace_back(command.name);
  return absl::StrJoin(names, " ");
}

}  // namespace

// Works without the bash-completion package. Bash splits words at '=', so that a value is a word
// of its own.
std::string BashCompletion() {
  std::string text =
      "# Completion of lockwarden for bash; made from its table of options.\n"
      "_lockwarden() {\n"
      "  local current=${COMP_WORDS[COMP_CWORD]} command=${COMP_WORDS[1]} key= words= i\n"
      "  COMPREPLY=()\n"
      "  if ((COMP_CWORD == 1)); then\n";
  absl::StrAppend(&text, "    COMPREPLY=($(compgen -W '", Names(),
                  " --help --version' -- \"$current\"))\n    return\n  fi\n");
  text +=
      "  # After -- stands another command.\n"
      "  for ((i = 2; i < COMP_CWORD; i++)); do\n"
      "    if [[ ${COMP_WORDS[i]} == -- ]]; then\n"
      "      if declare -F _command_offset >/dev/null; then\n"
      "        _command_offset $((i + 1))\n"
      "      elif ((COMP_CWORD == i + 1)); then\n"
      "        COMPREPLY=($(compgen -c -- \"$current\"))\n"
      "      else\n"
      "        COMPREPLY=($(compgen -f -- \"$current\"))\n"
      "      fi\n"
      "      return\n"
      "    fi\n"
      "  done\n"
      "  if [[ $current == = ]]; then\n"
      "    key=${COMP_WORDS[COMP_CWORD-1]} current=\n"
      "  elif [[ ${COMP_WORDS[COMP_CWORD-1]} == = ]]; then\n"
      "    key=${COMP_WORDS[COMP_CWORD-2]}\n"
      "  elif [[ ${COMP_WORDS[COMP_CWORD-1]} == --* && $current != -* ]]; then\n"
      "    key=${COMP_WORDS[COMP_CWORD-1]}\n"
      "  fi\n"
      "  key=${key//-/_}\n"
      "  case $command:${key#__} in\n";
  for (const CommandInfo& command : Commands()) {
    for (const CommandOption& option : command.options) {
      const Values values = ValuesOf(option);
      std::string reply;
      if (!values.words.empty()) {
        absl::StrAppend(&reply, "-W '", absl::StrJoin(values.words, " "), "' ");
      }
      if (values.files) reply += "-f ";
      if (values.directories) reply += "-d ";
      absl::StrAppend(&text, "    ", command.name, ":", option.name, ")\n");
      if (!reply.empty()) {
        absl::StrAppend(&text, "      COMPREPLY=($(compgen ", reply, "-- \"$current\"))\n");
      }
      // A switch takes no value: what follows it is the next option.
      text += option.is_switch && option.syntax[0] == '\0' ? "      ;;\n" : "      return ;;\n";
    }
  }
  text += "  esac\n  case $command in\n";
  for (const CommandInfo& command : Commands()) {
    absl::StrAppend(&text, "    ", command.name, ") words='--help");
    for (const CommandOption& option : command.options) {
      absl::StrAppend(&text, " --", option.name, option.syntax[0] == '\0' ? "" : "=");
    }
    absl::StrAppend(&text, RunsAProgram(command) ? " --" : "", "' ;;\n");
  }
  text +=
      "  esac\n"
      "  if [[ $current == -* ]]; then\n"
      "    COMPREPLY=($(compgen -W \"$words\" -- \"${COMP_WORDS[COMP_CWORD]}\"))\n"
      "    [[ ${COMPREPLY[*]} != *= ]] || compopt -o nospace 2>/dev/null\n"
      "  else\n"
      "    COMPREPLY=($(compgen -f -- \"$current\"))\n"
      "  fi\n"
      "}\n"
      "complete -o filenames -F _lockwarden lockwarden\n";
  return text;
}

std::string ZshCompletion() {
  const auto quoted = [](absl::string_view text) {
    return absl::StrReplaceAll(text, {{"'", "'\\''"}, {"[", "("}, {"]", ")"}, {":", "\\:"}});
  };
  std::string text =
      "#compdef lockwarden\n# Completion of lockwarden for zsh; made from its table of options.\n"
      "_lockwarden() {\n  local curcontext=\"$curcontext\" state line\n"
      "  _arguments -C '(- *)--help[show help]' '(- *)--version[show the version]' \\\n"
      "    '1: :->command' '*:: :->arguments'\n"
      "  case $state in\n    command)\n      local -a commands=(\n";
  for (const CommandInfo& command : Commands()) {
    absl::StrAppend(&text, "        '", command.name, ":", quoted(command.summary), "'\n");
  }
  text += "      )\n      _describe command commands ;;\n    arguments)\n      case $line[1] in\n";
  for (const CommandInfo& command : Commands()) {
    absl::StrAppend(&text, "        ", command.name, ")\n          _arguments '--help[show help]'");
    for (const CommandOption& option : command.options) {
      const Values values = ValuesOf(option);
      std::string action;
      if (values.files) {
        action = "_files";
      } else if (values.directories) {
        action = "_files -/";
      } else if (!values.words.empty()) {
        action = absl::StrCat("(", absl::StrJoin(values.words, " "), ")");
      }
      absl::StrAppend(&text, " \\\n            '--", option.name,
                      option.syntax[0] == '\0' ? "" : "=", "[", quoted(FirstLine(option.help)),
                      "]");
      if (option.syntax[0] != '\0') absl::StrAppend(&text, ":", quoted(option.syntax), ":", action);
      text += "'";
    }
    absl::StrAppend(&text,
                    RunsAProgram(command) ? " \\\n            '*::program:_normal'"
                    : TakesFiles(command) ? " \\\n            '*:file:_files'"
                                          : "",
                    " ;;\n");
  }
  return text + "      esac ;;\n  esac\n}\n_lockwarden \"$@\"\n";
}

std::string FishCompletion() {
  const auto quoted = [](absl::string_view text) {
    return absl::StrCat("'", absl::StrReplaceAll(text, {{"\\", "\\\\"}, {"'", "\\'"}}), "'");
  };
  std::string text =
      "# Completion of lockwarden for fish; made from its table of options.\n"
      "complete -c lockwarden -n __fish_use_subcommand -f\n"
      "complete -c lockwarden -n __fish_use_subcommand -l help -d 'show help'\n"
      "complete -c lockwarden -n __fish_use_subcommand -l version -d 'show the version'\n";
  for (const CommandInfo& command : Commands()) {
    absl::StrAppend(&text, "complete -c lockwarden -n __fish_use_subcommand -a ", command.name,
                    " -d ", quoted(command.summary), "\n");
    for (const CommandOption& option : command.options) {
      const Values values = ValuesOf(option);
      absl::StrAppend(&text, "complete -c lockwarden -n '__fish_seen_subcommand_from ",
                      command.name, "' -l ", option.name);
      if (option.syntax[0] != '\0') text += values.files || values.directories ? " -r" : " -x";
      if (!values.words.empty()) {
        absl::StrAppend(&text, " -a ", quoted(absl::StrJoin(values.words, " ")));
      }
      absl::StrAppend(&text, " -d ", quoted(FirstLine(option.help)), "\n");
    }
  }
  return text;
}

}  // namespace lockwarden
