// See report_input.h.
#include "watchdog/report/report_input.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <system_error>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "watchdog/printable.h"
#include "watchdog/report/finding_reader.h"

namespace lockwarden {
namespace {

namespace fs = std::filesystem;

constexpr size_t kMostFindings = 20'000;
constexpr size_t kMostBytes = 64u << 20;  // of one finding

bool IsOurs(const fs::path& path) {
  return path.filename() == "report.json" || absl::EndsWith(path.string(), kLockGraphSuffix);
}

class Input {
 public:
  void Read(const std::string& path) {
    std::error_code error;
    if (!fs::is_directory(path, error)) return ReadFile(path);
    std::vector<std::string> found;
    auto entry = fs::recursive_directory_iterator(
        path, fs::directory_options::skip_permission_denied, error);
    for (; !error && entry != fs::recursive_directory_iterator(); entry.increment(error)) {
      std::error_code ignored;
      if (IsOurs(entry->path()) && entry->is_regular_file(ignored)) {
        found.push_back(entry->path().string());
      }
    }
    if (error) Problem(path, error.message());
    if (found.empty() && !error) Problem(path, "holds neither report.json nor *.lockgraph");
    std::sort(found.begin(), found.end());
    for (const std::string& file : found) ReadFile(file);
  }

  ReportInput Take() { return std::move(input_); }

 private:
  void Problem(const std::string& path, absl::string_view why) {
    input_.problems.push_back(Printable(absl::StrCat(path, ": ", why)));
  }

  void ReadFile(const std::string& path) {
    errno = 0;
    std::error_code error;
    if (fs::exists(path, error) && !fs::is_regular_file(path, error) && !fs::is_fifo(path, error) &&
        !fs::is_character_file(path, error)) {
      return Problem(path, "neither a file nor a directory");
    }
    std::ifstream file(path);
    std::string first;
    if (!file.is_open()) return Problem(path, std::strerror(errno != 0 ? errno : EIO));
    if (!std::getline(file, first)) return Problem(path, "empty");
    if (IsLockGraph(first)) return ReadGraph(path, std::move(first), &file);
    if (first.empty() || first[0] != '{') {
      return Problem(path, "neither JSON findings nor a lock graph");
    }
    ReadFindings(path, std::move(first), &file);
  }

  void ReadGraph(const std::string& path, std::string first, std::istream* file) {
    bool at_first = true;
    absl::StatusOr<LockGraph> graph = ParseLockGraph([&](std::string* line) {
      if (std::exchange(at_first, false)) return *line = std::move(first), true;
      return static_cast<bool>(std::getline(*file, *line));
    });
    if (!graph.ok()) return Problem(path, graph.status().message());
    input_.graph.Merge(*graph);
    ++input_.graphs;
  }

  void Add(Finding finding) {
    if (input_.findings.size() >= kMostFindings) {
      ++input_.left_out;
      return;
    }
    input_.findings.push_back(std::move(finding));
  }

  // One object a line; or one in all, spread over lines by whoever made it pretty.
  void ReadFindings(const std::string& path, std::string line, std::istream* file) {
    size_t number = 1;
    absl::StatusOr<Finding> finding = ParseFinding(line);
    if (!finding.ok()) {
      std::ostringstream rest;
      rest << line << "\n" << file->rdbuf();
      const absl::StatusOr<Finding> whole =
          rest.str().size() <= kMostBytes ? ParseFinding(rest.str()) : finding;
      if (whole.ok()) return Add(*whole);
      return Problem(path, finding.status().message());
    }
    Add(*std::move(finding));
    while (std::getline(*file, line)) {
      ++number;
      if (line.empty()) continue;
      finding = ParseFinding(line);
      if (!finding.ok()) {
        Problem(path, absl::StrCat("line ", number, ": ", finding.status().message()));
      } else {
        Add(*std::move(finding));
      }
    }
  }

  ReportInput input_;
};

}  // namespace

ReportInput ReadReports(const std::vector<std::string>& paths) {
  Input input;
  for (const std::string& path : paths) input.Read(path);
  return input.Take();
}

}  // namespace lockwarden
