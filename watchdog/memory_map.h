// What a living process has mapped: /proc/PID/maps, and what it runs code from.
//
// Pure parsing, and small reads of /proc. Thread safety: no state.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"

namespace lockwarden {

struct MemoryMapping {
  uint64_t begin = 0, end = 0;
  bool executable = false;
  bool shared = false;   // with other processes; else writes are its own
  uint64_t offset = 0;   // in the file
  uint64_t device = 0;   // major << 32 | minor
  uint64_t inode = 0;    // 0: no file
  std::string path;      // as the process sees it; or "[heap]", "/SYSV...", empty
  bool deleted = false;  // the file at `path`, if any, is another one
};

// The text of /proc/PID/maps, in ascending order; lines that make no sense are left out.
std::vector<MemoryMapping> ParseMemoryMap(absl::string_view maps);
// Empty when the process is gone or may not be looked at.
std::vector<MemoryMapping> ReadMemoryMap(int pid);
// The executable mappings of files among them.
std::vector<MemoryMapping> ExecutableOf(std::vector<MemoryMapping> map);
// The one that the address lies in; null: none.
const MemoryMapping* FindMapping(const std::vector<MemoryMapping>& map, uint64_t address);

// A number that moves when the process maps or unmaps code: bytes of executable
// mappings beside the program's own (VmLib). Much cheaper to read than the map. 0:
// not known.
uint64_t ExecutableSize(int pid);

}  // namespace lockwarden
