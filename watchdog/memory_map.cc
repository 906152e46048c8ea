// Reads /proc/PID/maps; see memory_map.h.
#include "watchdog/memory_map.h"

#include <algorithm>
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

std::vector<MemoryMapping> ParseMemoryMap(absl::string_view maps) {
  std::vector<MemoryMapping> result;
  for (absl::string_view line : absl::StrSplit(maps, '\n')) {
    // "begin-end perms offset major:minor inode      path"; the path may hold spaces.
    const std::vector<absl::string_view> fields = absl::StrSplit(line, absl::MaxSplits(' ', 5));
    if (fields.size() < 5 || fields[1].size() < 4) continue;
    const std::pair<absl::string_view, absl::string_view> range =
        absl::StrSplit(fields[0], absl::MaxSplits('-', 1));
    const std::pair<absl::string_view, absl::string_view> device =
        absl::StrSplit(fields[3], absl::MaxSplits(':', 1));
    MemoryMapping mapping;
    uint64_t major = 0, minor = 0;
    if (!ParseHex(range.first, &mapping.begin) || !ParseHex(range.second, &mapping.end) ||
        !ParseHex(fields[2], &mapping.offset) || !ParseHex(device.first, &major) ||
        !ParseHex(device.second, &minor) || !absl::SimpleAtoi(fields[4], &mapping.inode) ||
        mapping.begin >= mapping.end) {
      continue;
    }
    mapping.device = major << 32 | minor;
    mapping.executable = fields[1][2] == 'x';
    mapping.shared = fields[1][3] == 's';
    if (fields.size() == 6) {
      absl::string_view path = absl::StripLeadingAsciiWhitespace(fields[5]);
      mapping.deleted = absl::ConsumeSuffix(&path, " (deleted)");
      mapping.path = std::string(path);
    }
    result.push_back(std::move(mapping));
  }
  return result;
}

std::vector<MemoryMapping> ReadMemoryMap(int pid) {
  return ParseMemoryMap(ReadWhole(absl::StrCat("/proc/", pid, "/maps")));
}

std::vector<MemoryMapping> ExecutableOf(std::vector<MemoryMapping> map) {
  std::erase_if(map, [](const MemoryMapping& mapping) {
    return !mapping.executable || mapping.path.empty() || mapping.path[0] != '/';  // [vdso], ...
  });
  return map;
}

const MemoryMapping* FindMapping(const std::vector<MemoryMapping>& map, uint64_t address) {
  const auto after = std::upper_bound(
      map.begin(), map.end(), address,
      [](uint64_t wanted, const MemoryMapping& mapping) { return wanted < mapping.begin; });
  if (after == map.begin() || address >= std::prev(after)->end) return nullptr;
  return &*std::prev(after);
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
