// Reads the shared lines of /proc/PID/maps; see shared_memory.h.
#include "watchdog/shared_memory.h"

#include <algorithm>
#include <fstream>
#include <sstream>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "watchdog/process_list.h"

namespace lockwarden {

std::string SharedName(const SharedId& id) {
  return absl::StrCat(id.system_v ? "sysv " : "", id.device >> 32, ":", id.device & 0xffffffffu,
                      " ", id.inode, " +0x", absl::Hex(id.offset));
}

std::vector<SharedMapping> ParseSharedMappings(absl::string_view maps) {
  std::vector<SharedMapping> result;
  for (absl::string_view line : absl::StrSplit(maps, '\n')) {
    // "begin-end perms offset major:minor inode      path"
    const std::vector<absl::string_view> fields = absl::StrSplit(line, absl::MaxSplits(' ', 5));
    if (fields.size() < 5 || fields[1].size() < 4 || fields[1][3] != 's') continue;
    const std::vector<absl::string_view> range = absl::StrSplit(fields[0], '-');
    const std::vector<absl::string_view> device = absl::StrSplit(fields[3], ':');
    SharedMapping mapping;
    SharedId& id = mapping.at_begin;
    uint64_t major = 0, minor = 0;
    if (range.size() != 2 || device.size() != 2 ||
        !absl::SimpleHexAtoi(range[0], &mapping.begin) ||
        !absl::SimpleHexAtoi(range[1], &mapping.end) || mapping.begin >= mapping.end ||
        !absl::SimpleHexAtoi(fields[2], &id.offset) || !absl::SimpleHexAtoi(device[0], &major) ||
        !absl::SimpleHexAtoi(device[1], &minor) || !absl::SimpleAtoi(fields[4], &id.inode) ||
        id.inode == 0) {
      // System V's first segment has the id 0; it is not told from "no inode".
      continue;
    }
    id.device = major << 32 | minor;
    if (fields.size() == 6) {
      id.system_v = absl::StartsWith(absl::StripLeadingAsciiWhitespace(fields[5]), "/SYSV");
    }
    result.push_back(mapping);
  }
  return result;
}

std::vector<SharedMapping> ReadSharedMappings(int pid) {
  std::ifstream file(absl::StrCat("/proc/", pid, "/maps"));
  std::ostringstream text;
  text << file.rdbuf();
  return ParseSharedMappings(text.str());
}

std::optional<SharedId> FindShared(const std::vector<SharedMapping>& mappings, uint64_t address) {
  const auto after =
      std::upper_bound(mappings.begin(), mappings.end(), address,
                       [](uint64_t wanted, const SharedMapping& m) { return wanted < m.begin; });
  if (after == mappings.begin()) return std::nullopt;
  const SharedMapping& mapping = *std::prev(after);
  if (address >= mapping.end) return std::nullopt;
  SharedId id = mapping.at_begin;
  id.offset += address - mapping.begin;
  return id;
}

bool MappedElsewhere(const SharedId& id, const absl::flat_hash_set<int>& pids) {
  for (int pid : ProcessList()) {
    if (pids.contains(pid)) continue;
    for (const SharedMapping& mapping : ReadSharedMappings(pid)) {
      const SharedId& at = mapping.at_begin;
      if (at.device == id.device && at.inode == id.inode && at.system_v == id.system_v &&
          at.offset <= id.offset && id.offset - at.offset < mapping.end - mapping.begin) {
        return true;
      }
    }
  }
  return false;
}

}  // namespace lockwarden
