// The table; run's own options come from options.cc.
#include "watchdog/command_table.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "watchdog/options.h"

namespace lockwarden {
namespace {

std::vector<CommandOption> RunOptions() {
  std::vector<CommandOption> options;
  for (const OptionKey& key : OptionKeys()) {
    options.push_back({key.name, key.syntax, key.default_value, key.help, key.is_switch});
  }
  return options;
}

std::vector<CommandInfo> MakeCommands() {
  return {
      {"run", "[options] -- PROGRAM [ARG...]", "supervise a program and the processes it starts",
       "Starts PROGRAM with a library that records what its threads hold and wait for, watches it "
       "and every process that it starts, reports deadlocks when they form and lock orders that "
       "could deadlock, and does what on_deadlock and restart say.\n\n"
       "Each option is also a key of LOCKWARDEN_OPTIONS=\"key=value,key=value\"; the command line "
       "wins.",
       RunOptions()},
      {"serve",
       "[options]",
       "one port for all that lockwarden run supervises on this host",
       "Serves the metrics and the status page of every program that is supervised on this host.",
       {{"metrics", "ADDR:PORT", "127.0.0.1:9464", "where to serve"},
        {"metrics_password", "FILE", "none",
         "who asks must know what FILE says: one line, user:password"},
        {"file_sd", "FILE", "none", "list the supervised programs there, for Prometheus"}}},
      {"inspect",
       "PID | --all | --core=FILE [--exe=FILE] [options]",
       "what is this process stuck on? Any process, started by Lockwarden or not",
       "Says for each thread what it waits for and who holds that, with its stack; and whether some of "
       "them are deadlocked.",
       {{"all", "", "no",
         "every process of this user (as root: of all users), a line each; stops no thread", true},
        {"core", "FILE", "none", "a core file instead of a living process"},
        {"exe", "FILE", "as the core says", "with core: the program, where it is not found by its path"},
        {"json", "", "no", "one JSON object a process and look, on one line", true},
        {"stop", "yes|no", "yes",
         "whether threads may be stopped, some 50 us each, to copy their stacks; no: only those\n"
         "that sleep in a system call are shown"},
        {"watch", "TIME", "no; without a value 2s", "look again and again", true}}},
      {"top",
       "[--plain] [--every=TIME] [PID]",
       "live view: threads, what they hold and wait for; lock classes",
       "Shows the threads of every program that runs under lockwarden run, or links an Exporter, and "
       "is this user's (as root: anybody's): what they hold and wait for, who holds it, since when; "
       "the lock classes by time waited; a deadlock in red on top. PID: of a watched process, or of "
       "its supervisor. Without a terminal one pass as text.",
       {{"plain", "", "no", "one pass as text, then end", true},
        {"every", "TIME", "1s", "how often to look: 100ms to 1h"}}},
      {"report",
       "[options] FILE|DIR...",
       "render incidents and merge lock graphs",
       "Reads findings (report.json of incidents, or what run wrote with --format=json) and lock "
       "graphs (what run saved with --lock_graph), from files and from whole directories, and "
       "renders them. A finding that came several times is told once, and counted.\n\n"
       "Lock graphs of many processes, runs and machines are merged by lock class: a cycle that no "
       "single process saw is a potential deadlock, and said to be one of classes.",
       {{"format", kReportFormats, "text",
         "json: a line a finding; html: one page that needs nothing else; sarif: for code\n"
         "scanning; junit: for CI servers; dot, svg: the graph (of a lock graph svg needs\n"
         "Graphviz); folded: for flame graphs of blocked time; github: workflow annotations"},
        {"github", "", "no", "the same as --format=github", true},
        {"output", "FILE", "standard output", "where the report goes; replaced when it is whole"},
        {"source_root", "DIR", "the current directory",
         "source files below it are named relative to it; relative ones are looked for there"},
        {"baseline", "FILE", "none",
         "tell only what is not in FILE, which write_baseline of run or merge has written"},
        {"diff", "FILE", "none",
         "compare with the lock graph FILE: tell only new cycles, and list the lock orders that\n"
         "came and went"},
        {"merge", "FILE", "none", "write the merged lock graph there, for a later report"}}},
      {"selftest",
       "[SCENE...]",
       "does it work here? programs that really hang must be reported within 3 s",
       "Runs programs that hang, each in a way of its own, under lockwarden run, and says what was "
       "reported and when, or why nothing was. Without a SCENE all of them. Exit code 0: all as it "
       "should be.",
       {}},
  };
}

}  // namespace

const std::vector<CommandInfo>& Commands() {
  static const auto* const kCommands = new std::vector<CommandInfo>(MakeCommands());
  return *kCommands;
}

const CommandInfo* FindCommand(absl::string_view name) {
  for (const CommandInfo& command : Commands()) {
    if (name == command.name) return &command;
  }
  return nullptr;
}

std::string DescribeOptions(absl::Span<const CommandOption> options, absl::string_view prefix) {
  std::string text;
  for (const CommandOption& option : options) {
    absl::StrAppend(&text, "  ", prefix, option.name, option.syntax[0] == '\0' ? "" : "=",
                    option.syntax, "  (default: ", option.default_value, ")\n");
    for (absl::string_view line : absl::StrSplit(option.help, '\n')) {
      absl::StrAppend(&text, "      ", line, "\n");
    }
  }
  return text;
}

std::string DescribeCommand(const CommandInfo& command) {
  return absl::StrCat("usage: lockwarden ", command.name, " ", command.usage, "\n\n",
                      command.description, "\n\nOptions (hyphens for underscores work too):\n\n",
                      DescribeOptions(command.options, "--"));
}

}  // namespace lockwarden
