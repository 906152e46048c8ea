// See source_lines.h.
#include "watchdog/report/source_lines.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "watchdog/unique_fd.h"

namespace lockwarden {
namespace {

constexpr int kAround = 3;
constexpr size_t kMostBytes = 4u << 20;
constexpr size_t kMostFiles = 64;
constexpr size_t kMostColumns = 200;

bool IsSource(const std::string& path) {
  static const char* const kSuffixes[] = {".c",   ".cc",  ".cpp", ".cxx", ".h",  ".hh",
                                          ".hpp", ".hxx", ".ipp", ".inc", ".rs", ".go",
                                          ".py",  ".d",   ".f90", ".m",   ".mm", ".tcc"};
  return std::any_of(std::begin(kSuffixes), std::end(kSuffixes),
                     [&](const char* suffix) { return absl::EndsWith(path, suffix); });
}

}  // namespace

const SourceLines::Text& SourceLines::Load(const std::string& path) {
  static const Text* const kNone = new Text();
  if (const auto known = files_.find(path); known != files_.end()) return known->second;
  if (files_.size() >= kMostFiles) return *kNone;
  Text& text = files_[path];
  const UniqueFd fd(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
  struct stat status {};
  if (!fd.valid() || fstat(fd.get(), &status) != 0 || !S_ISREG(status.st_mode)) return text;
  if (status.st_size <= 0 || static_cast<size_t>(status.st_size) > kMostBytes) return text;
  std::string content(static_cast<size_t>(status.st_size), '\0');
  const ssize_t size = pread(fd.get(), content.data(), content.size(), 0);
  content.resize(size < 0 ? 0 : static_cast<size_t>(size));
  text.changed_ns = static_cast<uint64_t>(status.st_mtim.tv_sec) * 1'000'000'000 +
                    static_cast<uint64_t>(status.st_mtim.tv_nsec);
  text.lines = absl::StrSplit(content, '\n');
  return text;
}

std::vector<std::pair<int, std::string>> SourceLines::Around(const std::string& file, int line,
                                                             uint64_t before_ns) {
  std::vector<std::pair<int, std::string>> lines;
  if (file.empty() || line <= 0 || !IsSource(file) || (file[0] != '/' && root_.empty()))
    return lines;
  const Text& text = Load(file[0] == '/' ? file : absl::StrCat(root_, "/", file));
  const int count = static_cast<int>(text.lines.size());
  if (line > count || (before_ns != 0 && text.changed_ns > before_ns)) return lines;
  for (int i = std::max(1, line - kAround); i <= std::min(count, line + kAround); ++i) {
    lines.emplace_back(i, text.lines[static_cast<size_t>(i) - 1].substr(0, kMostColumns));
  }
  return lines;
}

}  // namespace lockwarden
