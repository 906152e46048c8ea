// Reads /proc/PID/maps; see memory_map.h.
#include "watchdog/memory_map.h"

#include <charconv>
#include <fstream>
#include <sstream>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"

namespace lockwarden {
namespace {

std::string ReadWhole(const std::string& path) {
  std::ifstream file(path);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

bool ParseHex(absl::string_view text, uint64_t* value) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), *value, 16);
  return error == std::errc() && end == text.data() + text.size();
}

}  // namespace

std::vector<ExecutableMapping> ParseExecutableMappings(absl::string_view maps) {
  std::vector<ExecutableMapping> result;
  for (absl::string_view line : absl::StrSplit(maps, '\n')) {
    // "begin-end perms offset dev inode      path"; the path may hold spaces.
    const std::vector<absl::string_view> fields = absl::StrSplit(line, absl::MaxSplits(' ', 5));
    if (fields.size() < 6 || fields[1].find('x') == fields[1].npos) continue;
    const std::pair<absl::string_view, absl::string_view> range =
        absl::StrSplit(fields[0], absl::MaxSplits('-', 1));
    ExecutableMapping mapping;
    if (!ParseHex(range.first, &mapping.begin) || !ParseHex(range.second, &mapping.end) ||
        !ParseHex(fields[2], &mapping.offset) || mapping.begin >= mapping.end) {
      continue;
    }
    absl::string_view path = absl::StripLeadingAsciiWhitespace(fields[5]);
    mapping.deleted = absl::ConsumeSuffix(&path, " (deleted)");
    if (path.empty() || path[0] != '/') continue;  // [vdso], [heap], anonymous
    mapping.path = std::string(path);
    result.push_back(std::move(mapping));
  }
  return result;
}

std::vector<ExecutableMapping> ReadExecutableMappings(int pid) {
  return ParseExecutableMappings(ReadWhole(absl::StrCat("/proc/", pid, "/maps")));
}

uint64_t ExecutableSize(int pid) {
  std::ifstream status(absl::StrCat("/proc/", pid, "/status"));
  for (std::string line; std::getline(status, line);) {
    absl::string_view rest = line;
    if (!absl::ConsumePrefix(&rest, "VmLib:")) continue;
    absl::ConsumeSuffix(&rest, " kB");
    uint64_t kilobytes = 0;
    return absl::SimpleAtoi(rest, &kilobytes) ? kilobytes * 1024 : 0;
  }
  return 0;
}

}  // namespace lockwarden
