// Reads /proc/PID/stat, /proc/stat and /proc/PID/fd.
#include "exporter/process_numbers.h"

#include <dirent.h>
#include <unistd.h>

#include <fstream>
#include <sstream>
#include <string>

#include "absl/strings/str_cat.h"

namespace lockwarden {
namespace {

constexpr uint64_t kMostDescriptors = 65536;

double BootTimeSeconds() {
  std::ifstream file("/proc/stat");
  for (std::string line; std::getline(file, line);) {
    if (line.rfind("btime ", 0) == 0) return std::stod(line.substr(6));
  }
  return 0;
}

// 0 also when we may not look: another user's process.
uint64_t CountDescriptors(int pid) {
  DIR* directory = opendir(absl::StrCat("/proc/", pid, "/fd").c_str());
  if (directory == nullptr) return 0;
  uint64_t count = 0;
  while (const dirent* entry = readdir(directory)) {
    if (entry->d_name[0] != '.' && ++count == kMostDescriptors) break;
  }
  closedir(directory);
  return count;
}

}  // namespace

ProcessNumbers ReadProcessNumbers(int pid) {
  static const double boot_time = BootTimeSeconds();
  ProcessNumbers numbers;
  std::ifstream file(absl::StrCat("/proc/", pid, "/stat"));
  std::string text;
  std::getline(file, text, '\0');
  const size_t name_end = text.rfind(')');  // the name before it may hold anything
  if (name_end == text.npos) return numbers;
  std::istringstream fields(text.substr(name_end + 1));
  std::string skipped;
  const auto skip = [&](int count) {
    for (int i = 0; i < count; ++i) fields >> skipped;
  };
  uint64_t user = 0, system = 0, threads = 0, start = 0, bytes = 0, pages = 0;
  skip(11);                  // state to cmajflt: fields 3 to 13
  fields >> user >> system;  // 14, 15
  skip(4);
  fields >> threads;  // 20
  skip(1);
  fields >> start >> bytes >> pages;  // 22, 23, 24
  if (!fields) return numbers;
  const double ticks = static_cast<double>(sysconf(_SC_CLK_TCK));
  numbers.cpu_seconds = static_cast<double>(user + system) / ticks;
  numbers.start_time_seconds = boot_time + static_cast<double>(start) / ticks;
  numbers.resident_bytes = pages * static_cast<uint64_t>(sysconf(_SC_PAGESIZE));
  numbers.virtual_bytes = bytes;
  numbers.open_fds = CountDescriptors(pid);
  numbers.threads = threads;
  return numbers;
}

}  // namespace lockwarden
