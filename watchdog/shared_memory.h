// What a lock in shared memory is called: the same name in every process that maps it,
// wherever it maps it. From /proc/PID/maps.
//
// An anonymous shared mapping is a deleted /dev/zero with an inode of its own, which a
// forked child inherits; System V segments carry their id as inode, on the same device.
//
// Pure but for ReadSharedMappings and MappedElsewhere. Must never: name private memory.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_set.h"
#include "watchdog/memory_map.h"

namespace lockwarden {

struct SharedId {
  uint64_t device = 0, inode = 0, offset = 0;
  bool system_v = false;
  friend bool operator==(const SharedId&, const SharedId&) = default;
  template <typename H>
  friend H AbslHashValue(H h, const SharedId& id) {
    return H::combine(std::move(h), id.device, id.inode, id.offset, id.system_v);
  }
};
// "8:1 131 +0x40": for people and JSON.
std::string SharedName(const SharedId& id);

struct SharedMapping {
  uint64_t begin = 0, end = 0;
  SharedId at_begin;
  bool Contains(const SharedId& id) const;
};
// In ascending order; private mappings are left out.
std::vector<SharedMapping> SharedOf(const std::vector<MemoryMapping>& map);
// Empty when the process is gone or may not be looked at.
std::vector<SharedMapping> ReadSharedMappings(int pid);

std::optional<SharedId> FindShared(const std::vector<SharedMapping>& mappings, uint64_t address);

// A process that is not one of `pids` maps the page of this object, as far as processes may
// be looked at.
bool MappedElsewhere(const SharedId& id, const absl::flat_hash_set<int>& pids);

}  // namespace lockwarden
