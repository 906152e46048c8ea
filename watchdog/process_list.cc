// Lists the numbers in /proc.
#include "watchdog/process_list.h"

#include <dirent.h>

#include "absl/strings/numbers.h"

namespace lockwarden {

std::vector<int> ProcessList() {
  std::vector<int> pids;
  DIR* folder = opendir("/proc");
  if (folder == nullptr) return pids;
  while (const dirent* entry = readdir(folder)) {
    int pid = 0;
    if (absl::SimpleAtoi(entry->d_name, &pid)) pids.push_back(pid);
  }
  closedir(folder);
  return pids;
}

}  // namespace lockwarden
