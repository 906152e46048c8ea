// Picks the shared lines of /proc/PID/maps; see shared_memory.h.
#include "watchdog/shared_memory.h"

#include <algorithm>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "watchdog/process_list.h"

namespace lockwarden {

std::string SharedName(const SharedId& id) {
  return absl::StrCat(id.system_v ? "sysv " : "", id.device >> 32, ":", id.device & 0xffffffffu,
                      " ", id.inode, " +0x", absl::Hex(id.offset));
}

bool SharedMapping::Contains(const SharedId& id) const {
  const SharedId& at = at_begin;
  return at.device == id.device && at.inode == id.inode && at.system_v == id.system_v &&
         at.offset <= id.offset && id.offset - at.offset < end - begin;
}

std::vector<SharedMapping> SharedOf(const std::vector<MemoryMapping>& map) {
  std::vector<SharedMapping> result;
  for (const MemoryMapping& mapping : map) {
    // System V's first segment has the id 0; it is not told from "no inode".
    if (!mapping.shared || mapping.inode == 0) continue;
    result.push_back({mapping.begin, mapping.end,
                      {.device = mapping.device, .inode = mapping.inode, .offset = mapping.offset,
                       .system_v = absl::StartsWith(mapping.path, "/SYSV")}});
  }
  return result;
}

std::vector<SharedMapping> ReadSharedMappings(int pid) { return SharedOf(ReadMemoryMap(pid)); }

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
      if (mapping.Contains(id)) return true;
    }
  }
  return false;
}

}  // namespace lockwarden
