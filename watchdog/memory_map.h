// What a living process has mapped to run code from: /proc/PID/maps.
//
// Pure parsing, and two small reads of /proc. Thread safety: no state.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"

namespace lockwarden {

struct ExecutableMapping {
  uint64_t begin = 0, end = 0;
  uint64_t offset = 0;   // in the file
  std::string path;      // as the process sees it
  bool deleted = false;  // the file at `path`, if any, is another one
};

// The executable mappings of files in the text of /proc/PID/maps; lines that make no
// sense are left out.
std::vector<ExecutableMapping> ParseExecutableMappings(absl::string_view maps);
// Empty when the process is gone or may not be looked at.
std::vector<ExecutableMapping> ReadExecutableMappings(int pid);

// A number that moves when the process maps or unmaps code: bytes of executable
// mappings beside the program's own (VmLib). Much cheaper to read than the map. 0:
// not known.
uint64_t ExecutableSize(int pid);

}  // namespace lockwarden
