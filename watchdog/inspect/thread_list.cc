#include "watchdog/inspect/thread_list.h"

#include <dirent.h>

#include <algorithm>
#include <fstream>
#include <string>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "watchdog/process_facts.h"

namespace lockwarden {
namespace {

// The numbers behind "NSpid:" of a status file: from our namespace inwards.
std::vector<uint32_t> NamespaceIds(const std::string& status_path) {
  std::vector<uint32_t> ids;
  std::ifstream status(status_path);
  for (std::string line; std::getline(status, line);) {
    absl::string_view rest = line;
    if (!absl::ConsumePrefix(&rest, "NSpid:")) continue;
    for (absl::string_view word : absl::StrSplit(rest, absl::ByAnyChar("\t "), absl::SkipEmpty())) {
      uint32_t id = 0;
      if (absl::SimpleAtoi(word, &id)) ids.push_back(id);
    }
    break;
  }
  return ids;
}

}  // namespace

std::vector<ThreadId> ThreadsOf(int pid) {
  std::vector<ThreadId> threads;
  const std::string folder_path = absl::StrCat("/proc/", pid, "/task");
  DIR* folder = opendir(folder_path.c_str());
  if (folder == nullptr) return threads;
  while (const dirent* entry = readdir(folder)) {
    uint32_t tid = 0;
    if (absl::SimpleAtoi(entry->d_name, &tid)) threads.push_back({tid, tid});
  }
  closedir(folder);
  const uint32_t main = static_cast<uint32_t>(pid);
  std::sort(threads.begin(), threads.end(), [main](const ThreadId& a, const ThreadId& b) {
    return std::pair(a.tid != main, a.tid) < std::pair(b.tid != main, b.tid);
  });
  if (NamespaceIds(absl::StrCat("/proc/", pid, "/status")).size() < 2) return threads;
  for (ThreadId& thread : threads) {
    const auto ids = NamespaceIds(absl::StrCat(folder_path, "/", thread.tid, "/status"));
    thread.inside = ids.empty() ? 0 : ids.back();
  }
  return threads;
}

int ThreadWithMemory(int pid, const std::vector<ThreadId>& threads) {
  for (const ThreadId& thread : threads) {
    const auto stat = ReadProcessStat(static_cast<int>(thread.tid));
    if (stat.has_value() && stat->state != 'Z' && stat->state != 'X') {
      return static_cast<int>(thread.tid);
    }
  }
  return pid;
}

int ProcessOfThread(uint32_t tid) {
  std::ifstream status(absl::StrCat("/proc/", tid, "/status"));
  for (std::string line; std::getline(status, line);) {
    absl::string_view rest = line;
    int pid = 0;
    if (absl::ConsumePrefix(&rest, "Tgid:\t")) return absl::SimpleAtoi(rest, &pid) ? pid : 0;
  }
  return 0;
}

}  // namespace lockwarden
