// Readers of /proc/PID/{stat,status,task/TID/children}.
#include "watchdog/process_facts.h"

#include <dirent.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>
#include <sstream>
#include <string_view>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"

namespace lockwarden {
namespace {

std::string ReadAll(const std::string& path) {
  std::ifstream file(path);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

std::vector<int> Numbers(const std::string& directory) {
  std::vector<int> numbers;
  DIR* handle = opendir(directory.c_str());
  if (handle == nullptr) return numbers;
  while (const dirent* entry = readdir(handle)) {
    if (const int number = std::atoi(entry->d_name); number > 0) numbers.push_back(number);
  }
  closedir(handle);
  return numbers;
}

}  // namespace

std::optional<ProcessStat> ParseProcessStat(const std::string& stat) {
  const size_t name_end = stat.rfind(')');
  if (name_end == std::string::npos) return std::nullopt;
  const std::vector<std::string> fields =
      absl::StrSplit(stat.substr(name_end + 1), ' ', absl::SkipEmpty());
  constexpr size_t kFirst = 3;  // the number of the field that follows the name
  constexpr size_t kParent = 4 - kFirst, kStartTime = 22 - kFirst;
  ProcessStat result;
  if (!fields.empty()) result.state = fields[0][0];
  if (fields.size() <= kStartTime || !absl::SimpleAtoi(fields[kParent], &result.parent) ||
      !absl::SimpleAtoi(fields[kStartTime], &result.start_ticks)) {
    return std::nullopt;
  }
  return result;
}

std::optional<ProcessStat> ReadProcessStat(int pid) {
  return ParseProcessStat(ReadAll(absl::StrCat("/proc/", pid, "/stat")));
}

bool SharesTimeNamespace(int pid) {
  struct stat ours, theirs;
  if (stat("/proc/self/ns/time", &ours) != 0) return true;
  // Not readable (another user's process): time namespaces are rare, assume ours.
  if (stat(absl::StrCat("/proc/", pid, "/ns/time").c_str(), &theirs) != 0) return true;
  return ours.st_ino == theirs.st_ino && ours.st_dev == theirs.st_dev;
}

uint64_t ResidentBytes(int pid) {
  std::istringstream pages(ReadAll(absl::StrCat("/proc/", pid, "/statm")));
  uint64_t size = 0, resident = 0;
  pages >> size >> resident;
  return resident * static_cast<uint64_t>(sysconf(_SC_PAGESIZE));
}

std::string ReadAuxiliaryVector(int pid) {
  return ReadAll(absl::StrCat("/proc/", pid, "/auxv"));
}

bool IsDumpingCore(int pid) {
  return ReadAll(absl::StrCat("/proc/", pid, "/status")).find("CoreDumping:\t1") !=
         std::string::npos;
}

bool StandsStill(int pid) {
  const std::string tasks = absl::StrCat("/proc/", pid, "/task");
  for (int tid : Numbers(tasks)) {
    const auto stat = ParseProcessStat(ReadAll(absl::StrCat(tasks, "/", tid, "/stat")));
    if (stat.has_value() && std::string_view("TtZX").find(stat->state) == std::string_view::npos) {
      return false;
    }
  }
  return true;
}

std::vector<int> Children(int pid) {
  std::vector<int> all;
  const std::string tasks = absl::StrCat("/proc/", pid, "/task");
  for (int tid : Numbers(tasks)) {
    std::istringstream children(ReadAll(absl::StrCat(tasks, "/", tid, "/children")));
    for (int child; children >> child;) all.push_back(child);
  }
  return all;
}

}  // namespace lockwarden
