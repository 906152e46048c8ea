// See incident_quota.h.
#include "watchdog/incident_quota.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <memory>
#include <set>

#include "absl/strings/ascii.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"
#include "watchdog/unique_fd.h"

namespace lockwarden {
namespace {

constexpr int kFolder = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;

bool AllDigits(absl::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), absl::ascii_isdigit);
}

// Calls visit(name) for all in an open directory but "." and "..".
template <class Visit>
void ForEachIn(int folder, Visit visit) {
  DIR* entries = fdopendir(dup(folder));
  if (entries == nullptr) return;
  rewinddir(entries);
  while (const dirent* entry = readdir(entries)) {
    const std::string name = entry->d_name;
    if (name != "." && name != "..") visit(name);
  }
  closedir(entries);
}

uint64_t SizeOf(int folder) {
  uint64_t bytes = 0;
  ForEachIn(folder, [&](const std::string& name) {
    struct stat about;
    if (fstatat(folder, name.c_str(), &about, AT_SYMLINK_NOFOLLOW) == 0) {
      bytes += static_cast<uint64_t>(about.st_blocks) * 512;  // the ledger is sparse
    }
  });
  return bytes;
}

// Incidents are flat. False: something in it could not be removed.
bool Remove(int parent, const std::string& id) {
  const UniqueFd folder(openat(parent, id.c_str(), kFolder));
  if (!folder.valid()) return false;
  ForEachIn(folder.get(),
            [&](const std::string& name) { unlinkat(folder.get(), name.c_str(), 0); });
  return unlinkat(parent, id.c_str(), AT_REMOVEDIR) == 0;
}

}  // namespace

bool IsIncidentId(const std::string& name) {
  const std::vector<absl::string_view> parts = absl::StrSplit(name, '-');
  if (parts.size() != 4 || parts[0].size() != 16) return false;
  const absl::string_view time = parts[0];
  return AllDigits(time.substr(0, 8)) && time[8] == 'T' && AllDigits(time.substr(9, 6)) &&
         time[15] == 'Z' && AllDigits(parts[1]) && parts[2].size() == 8 &&
         std::all_of(parts[2].begin(), parts[2].end(), absl::ascii_isxdigit) && AllDigits(parts[3]);
}

std::vector<std::string> IncidentsToRemove(std::vector<StoredIncident> stored,
                                           uint64_t most_incidents, uint64_t most_bytes,
                                           const std::string& keep) {
  std::sort(stored.begin(), stored.end(),
            [](const StoredIncident& a, const StoredIncident& b) { return a.id < b.id; });
  uint64_t bytes = 0;
  for (const StoredIncident& incident : stored) bytes += incident.bytes;
  size_t left = stored.size();
  std::vector<std::string> remove;
  for (const StoredIncident& incident : stored) {
    const bool too_many = most_incidents != 0 && left > most_incidents;
    const bool too_large = most_bytes != 0 && bytes > most_bytes;
    if (left <= 1 || (!too_many && !too_large)) break;
    if (incident.id == keep) continue;
    remove.push_back(incident.id);
    bytes -= incident.bytes;
    --left;
  }
  return remove;
}

QuotaResult KeepWithinQuota(const std::string& directory, uint64_t most_incidents,
                            uint64_t most_bytes, const std::string& keep) {
  QuotaResult result;
  const UniqueFd parent(open(directory.c_str(), kFolder));
  if (!parent.valid()) return result;
  std::vector<StoredIncident> stored;
  ForEachIn(parent.get(), [&](const std::string& name) {
    if (!IsIncidentId(name)) return;
    const UniqueFd folder(openat(parent.get(), name.c_str(), kFolder));
    if (folder.valid()) stored.push_back({name, SizeOf(folder.get())});
  });
  for (const StoredIncident& incident : stored) result.bytes += incident.bytes;
  std::set<std::string> removed;
  for (const std::string& id : IncidentsToRemove(stored, most_incidents, most_bytes, keep)) {
    if (Remove(parent.get(), id)) {
      removed.insert(id);
    } else {
      ++result.failed;
    }
  }
  result.removed = removed.size();
  for (const StoredIncident& incident : stored) {
    if (removed.contains(incident.id)) result.bytes -= incident.bytes;
  }
  return result;
}

}  // namespace lockwarden
