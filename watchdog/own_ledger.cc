// Looks through /proc/self/maps: the recorder may be the preload's, another library's or a
// static one's, and all of them map the same memfd.
#include "watchdog/own_ledger.h"

#include <unistd.h>

#include <cinttypes>
#include <cstdio>
#include <fstream>
#include <string>

namespace lockwarden {

std::unique_ptr<LedgerReader> FindOwnLedger() {
  std::ifstream maps("/proc/self/maps");
  for (std::string line; std::getline(maps, line);) {
    uint64_t begin = 0, end = 0;
    if (line.find("/memfd:lockwarden-ledger") == line.npos ||
        std::sscanf(line.c_str(), "%" SCNx64 "-%" SCNx64, &begin, &end) != 2) {
      continue;
    }
    auto reader = LedgerReader::FromMemory(reinterpret_cast<const void*>(begin), end - begin);
    // A parent's may still be mapped.
    if (reader.ok() && (*reader)->identity().ledger_pid == static_cast<uint32_t>(getpid())) {
      return *std::move(reader);
    }
  }
  return nullptr;
}

}  // namespace lockwarden
