// IncidentQuota: keeps an incidents directory within a number of incidents and of bytes. The
// oldest go first, the newest never; only what is named like an incident is touched.
//
// Not thread-safe. Must never: follow a symbolic link, or remove what Lockwarden did not write.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace lockwarden {

struct StoredIncident {
  std::string id;      // begins with its time: sorts by it
  uint64_t bytes = 0;  // on the disk
};

// Which to remove; 0: no limit. Never `keep`, which has just been written, whatever the clock
// said then. Pure.
std::vector<std::string> IncidentsToRemove(std::vector<StoredIncident> stored,
                                           uint64_t most_incidents, uint64_t most_bytes,
                                           const std::string& keep);

// "20261121T093000Z-4242-00112233-1": what IncidentWriter calls its directories. Pure.
bool IsIncidentId(const std::string& name);

struct QuotaResult {
  uint64_t removed = 0;
  uint64_t failed = 0;  // could not be removed whole
  uint64_t bytes = 0;   // of what is left
};
QuotaResult KeepWithinQuota(const std::string& directory, uint64_t most_incidents,
                            uint64_t most_bytes, const std::string& keep);

}  // namespace lockwarden
