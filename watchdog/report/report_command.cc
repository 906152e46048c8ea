// Reads, leaves out what is known, writes.
#include "watchdog/report/report_command.h"

#include <fcntl.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <set>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "watchdog/baseline.h"
#include "watchdog/command_table.h"
#include "watchdog/file_write.h"
#include "watchdog/printable.h"
#include "watchdog/report.h"
#include "watchdog/report/finding_groups.h"
#include "watchdog/report/formats.h"
#include "watchdog/report/lock_graph_report.h"
#include "watchdog/report/report_html.h"
#include "watchdog/report/report_input.h"
#include "watchdog/text_file.h"
#include "watchdog/unique_fd.h"

namespace lockwarden {
namespace {

constexpr int kExitUnreadable = 1;
constexpr int kExitNew = 66;

void Say(absl::string_view text) {
  const std::string line = absl::StrCat("lockwarden: ", Printable(std::string(text)), "\n");
  std::fwrite(line.data(), 1, line.size(), stderr);
}

absl::Status Bad(absl::string_view why) { return absl::InvalidArgumentError(why); }

std::string CurrentDirectory() {
  char path[4096];
  return getcwd(path, sizeof path) == nullptr ? "" : path;
}

absl::StatusOr<LockGraph> LoadGraph(const std::string& path) {
  ReportInput input = ReadReports({path});
  if (!input.problems.empty()) return Bad(input.problems.front());
  if (input.graphs == 0) return Bad(absl::StrCat(path, ": no lock graph"));
  return std::move(input.graph);
}

// Graphviz draws; a picture of thousands of nodes is nothing to do again by hand.
absl::StatusOr<std::string> DrawDot(const std::string& dot) {
  const UniqueFd in(memfd_create("lockwarden-dot", MFD_CLOEXEC));
  const UniqueFd out(memfd_create("lockwarden-svg", MFD_CLOEXEC));
  if (!in.valid() || !out.valid()) return Bad(std::strerror(errno));
  absl::Status written = WriteAt(in.get(), dot.data(), dot.size(), 0);
  if (!written.ok()) return written;
  posix_spawn_file_actions_t files;
  posix_spawn_file_actions_init(&files);
  posix_spawn_file_actions_adddup2(&files, in.get(), STDIN_FILENO);
  posix_spawn_file_actions_adddup2(&files, out.get(), STDOUT_FILENO);
  char name[] = "dot", form[] = "-Tsvg";
  char* const argv[] = {name, form, nullptr};
  pid_t pid = 0;
  const int error = posix_spawnp(&pid, name, &files, nullptr, argv, environ);
  posix_spawn_file_actions_destroy(&files);
  if (error != 0) {
    return Bad(absl::StrCat("format=svg of a lock graph needs Graphviz's dot (",
                            std::strerror(error), "); format=dot gives the graph itself"));
  }
  int status = 0;
  while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {
  }
  if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) return Bad("Graphviz's dot failed");
  const off_t size = lseek(out.get(), 0, SEEK_END);
  std::string svg(static_cast<size_t>(std::max<off_t>(size, 0)), '\0');
  const ssize_t got = pread(out.get(), svg.data(), svg.size(), 0);
  svg.resize(static_cast<size_t>(std::max<ssize_t>(got, 0)));
  return svg;
}

class Report {
 public:
  explicit Report(const ReportRequest& request) : request_(request) {}

  ExitStatus Run() {
    input_ = ReadReports(request_.paths);
    for (const std::string& problem : input_.problems) Say(problem);
    if (input_.left_out != 0)
      Say(absl::StrCat(input_.left_out, " findings more than fit: left out"));
    bool good = input_.problems.empty() && input_.left_out == 0;
    if (!request_.merge.empty()) {
      const absl::Status status = ReplaceTextFile(request_.merge, LockGraphText(input_.graph));
      if (!status.ok()) Say(status.message());
      good = good && status.ok();
    }
    if (input_.graphs != 0) {
      input_.graph = input_.graph.Sorted();
      cycles_ = FindClassCycles(input_.graph);
      for (const Finding& finding : cycles_.findings) input_.findings.push_back(finding);
    }
    const absl::Status status = LeaveOutKnown();
    if (!status.ok()) {
      Say(status.message());
      return {kExitUsage, 0};
    }
    absl::StatusOr<std::string> text = Render();
    if (!text.ok()) {
      Say(text.status().message());
      return {kExitUnreadable, 0};
    }
    good = Write(*text) && good;
    if (!good) return {kExitUnreadable, 0};
    const bool compares = !request_.baseline.empty() || !request_.diff.empty();
    return {compares && !input_.findings.empty() ? kExitNew : 0, 0};
  }

 private:
  // With a baseline or an older graph only what is new is told.
  absl::Status LeaveOutKnown() {
    std::set<std::string> known;
    for (const std::string& path : {request_.baseline, request_.diff}) {
      if (path.empty()) continue;
      absl::StatusOr<std::string> text = ReadTextFile(path);
      if (text.ok() && !IsLockGraph(*text) && path == request_.baseline) {
        absl::StatusOr<Baseline> baseline = Baseline::Parse(*text, path);
        if (!baseline.ok()) return baseline.status();
        std::erase_if(input_.findings, [&](const Finding& f) { return baseline->Knows(f); });
        continue;
      }
      absl::StatusOr<LockGraph> before = LoadGraph(path);
      if (!before.ok()) return before.status();
      for (const Finding& finding : FindClassCycles(before->Sorted()).findings) {
        known.insert(finding.fingerprint);
      }
      if (path == request_.diff) diff_ = DiffLockGraphs(*before, input_.graph);
    }
    std::erase_if(input_.findings,
                  [&](const Finding& finding) { return known.contains(finding.fingerprint); });
    return absl::OkStatus();
  }

  absl::StatusOr<std::string> Render() const {
    const std::vector<Finding>& findings = input_.findings;
    const std::string& format = request_.format;
    if (format == "json") return Json();
    if (format == "html") {
      return FormatHtml(findings, {.source_root = request_.source_root, .read_sources = true});
    }
    if (format == "sarif") return FormatSarif(findings, request_.source_root);
    if (format == "junit") return FormatJunit(findings);
    if (format == "folded") return FormatFolded(findings);
    if (format == "github") return FormatGithub(findings, request_.source_root);
    if (format == "dot") {
      return input_.graphs != 0 ? LockGraphDot(input_.graph, cycles_) : FormatDot(findings);
    }
    if (format == "svg") {
      return input_.graphs != 0 ? DrawDot(LockGraphDot(input_.graph, cycles_))
                                : FormatSvg(findings);
    }
    return Text();
  }

  std::string Json() const {
    std::string text;
    for (const Finding& finding : input_.findings)
      absl::StrAppend(&text, FormatJson(finding), "\n");
    return text;
  }

  std::string Text() const {
    const TextStyle style{.color = request_.output.empty() && isatty(STDOUT_FILENO) == 1};
    std::string text;
    for (const FindingGroup& group : GroupFindings(input_.findings)) {
      if (!text.empty()) text += "\n";
      text += FormatText(*group.newest, style);
      if (const std::string times = TimesText(group); !times.empty()) {
        absl::StrAppend(&text, "seen ", times, "\n");
      }
    }
    if (!text.empty()) text += "\n";
    if (input_.graphs != 0) text += SummarizeLockGraph(input_.graph, cycles_);
    if (!request_.diff.empty()) {
      absl::StrAppend(&text, "lock orders that came (+) and went (-) since ",
                      Printable(request_.diff), ":\n", diff_.empty() ? "none\n" : diff_);
    }
    const bool compares = !request_.baseline.empty() || !request_.diff.empty();
    // Of what could not be read nothing is known.
    if (input_.findings.empty() && input_.problems.empty()) {
      text += compares ? "nothing new was found\n" : "nothing was found\n";
    }
    return text;
  }

  bool Write(const std::string& text) const {
    if (!request_.output.empty()) {
      const absl::Status status = ReplaceTextFile(request_.output, text);
      if (!status.ok()) Say(status.message());
      return status.ok();
    }
    if (std::fwrite(text.data(), 1, text.size(), stdout) == text.size() &&
        std::fflush(stdout) == 0) {
      return true;
    }
    Say(absl::StrCat("cannot write the report: ", std::strerror(errno)));
    return false;
  }

  const ReportRequest& request_;
  ReportInput input_;
  ClassCycles cycles_;
  std::string diff_;
};

absl::Status Apply(const std::string& key, const std::string& value, ReportRequest* request) {
  if (key == "format") {
    const std::vector<std::string> forms = absl::StrSplit(kReportFormats, '|');
    if (std::find(forms.begin(), forms.end(), value) == forms.end()) {
      return Bad(absl::StrCat("--format=", value, ": must be one of ",
                              absl::StrReplaceAll(kReportFormats, {{"|", ", "}})));
    }
    request->format = value;
    return absl::OkStatus();
  }
  std::string* const text = key == "output"        ? &request->output
                            : key == "source_root" ? &request->source_root
                            : key == "baseline"    ? &request->baseline
                            : key == "diff"        ? &request->diff
                            : key == "merge"       ? &request->merge
                                                   : nullptr;
  if (text == nullptr) return Bad(absl::StrCat("report: unknown option --", key));
  if (value.empty()) return Bad(absl::StrCat("--", key, " needs a value"));
  *text = value;
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<ReportRequest> ParseReport(const std::vector<std::string>& args) {
  ReportRequest request;
  request.source_root = CurrentDirectory();
  bool options_end = false;
  for (size_t i = 0; i < args.size(); ++i) {
    const std::string& arg = args[i];
    if (options_end || !absl::StartsWith(arg, "-") || arg == "-") {
      request.paths.push_back(arg == "-" && !options_end ? "/dev/stdin" : arg);
      continue;
    }
    if (arg == "--") {
      options_end = true;
      continue;
    }
    if (arg == "--github") {
      request.format = "github";
      continue;
    }
    if (!absl::StartsWith(arg, "--")) {
      return Bad(absl::StrCat("report: unknown option ", arg, "; options are written --key=value"));
    }
    const size_t equals = arg.find('=');
    const std::string key = absl::StrReplaceAll(
        arg.substr(2, equals == arg.npos ? arg.npos : equals - 2), {{"-", "_"}});
    if (equals == arg.npos && i + 1 >= args.size()) return Bad(absl::StrCat(arg, " needs a value"));
    const absl::Status status =
        Apply(key, equals == arg.npos ? args[++i] : arg.substr(equals + 1), &request);
    if (!status.ok()) return status;
  }
  if (request.paths.empty()) {
    return Bad("no file to report on; usage: lockwarden report [options] FILE|DIR...");
  }
  return request;
}

ExitStatus ReportCommand(const ReportRequest& request) { return Report(request).Run(); }

}  // namespace lockwarden
