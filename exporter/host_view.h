// HostView: what the supervisors of a host say, put together for one port: their metrics with
// two labels more, and their pages one level down.
//
//   process   the program's name
//   slot      0, 1, ...: the lowest that no other process of that name has. It stays while the
//             supervisor lives, restarts of its program included, and is free again afterwards:
//             so there are never more series than processes at a time, and no pid in them.
//
// Not thread-safe; a value but for what it remembers of who has which slot.
#pragma once

#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace lockwarden {

// What one supervisor answered.
struct HostProcess {
  std::string process;  // the program's base name
  int slot = 0;
  int supervisor_pid = 0;
  bool answers = false;                          // it did the last time it was asked
  std::string metrics;                           // its /metrics
  std::string status;                            // its /api/v1/status
  std::map<std::string, std::string> incidents;  // pages, by number

  std::string path() const { return process + "-" + std::to_string(slot); }
};

// "NAME": letters, digits, '.', '_' and '-' are kept, others become '_', for labels and paths.
std::string SafeName(const std::string& name);

// The lowest free slots, by name.
class Slots {
 public:
  int Take(const std::string& process);
  void Free(const std::string& process, int slot);

 private:
  std::map<std::string, std::set<int>> taken_;
};

// One exposition of many: each family once, each sample with process and slot.
std::string MergeMetrics(const std::vector<const HostProcess*>& processes);

// Targets for Prometheus' file_sd, one a process, each below its own path of `address`.
std::string FileSd(const std::vector<const HostProcess*>& processes, const std::string& address);

}  // namespace lockwarden
