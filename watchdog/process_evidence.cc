// See process_evidence.h.
#include "watchdog/process_evidence.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "watchdog/unique_fd.h"

namespace lockwarden {
namespace {

constexpr size_t kMostBytes = 64 * 1024;
constexpr char kGroups[] = "/sys/fs/cgroup";

// False: errno says why.
bool ReadSmall(const std::string& path, std::string* text) {
  const UniqueFd fd(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (!fd.valid()) return false;
  text->clear();
  char part[4096];
  while (text->size() < kMostBytes) {
    const ssize_t got = read(fd.get(), part, sizeof part);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return false;
    if (got == 0) break;
    text->append(part, static_cast<size_t>(got));
  }
  return true;
}

// "# PATH", then what it says, or why it does not.
void Append(const std::string& path, bool must, std::string* out) {
  std::string text;
  if (ReadSmall(path, &text)) {
    absl::StrAppend(out, "# ", path, "\n", text, absl::EndsWith(text, "\n") ? "" : "\n");
  } else if (must || errno != ENOENT) {
    absl::StrAppend(out, "# ", path, ": ", std::strerror(errno), "\n");
  }
}

// Where the process's figures are, one directory a controller (version 1) or one for all.
std::vector<std::string> GroupDirectories(const std::string& process) {
  std::vector<std::string> directories;
  std::string text;
  if (!ReadSmall(process + "/cgroup", &text) && !ReadSmall("/proc/self/cgroup", &text)) {
    return directories;
  }
  for (absl::string_view line : absl::StrSplit(text, '\n', absl::SkipEmpty())) {
    const std::vector<absl::string_view> parts = absl::StrSplit(line, absl::MaxSplits(':', 2));
    if (parts.size() != 3) continue;
    const absl::string_view path = parts[2] == "/" ? "" : parts[2];
    if (parts[1].empty()) {
      directories.push_back(absl::StrCat(kGroups, path));
    } else {
      directories.push_back(absl::StrCat(kGroups, "/", absl::StripPrefix(parts[1], "name="), path));
    }
  }
  return directories;
}

}  // namespace

std::vector<EvidenceFile> ProcessEvidence(int pid) {
  const std::string process = absl::StrCat("/proc/", pid);
  std::vector<EvidenceFile> files;
  EvidenceFile memory{"memory", ""};
  if (std::string status; pid != 0) {
    if (ReadSmall(process + "/status", &status)) files.push_back({"status", status});
    EvidenceFile limits{"limits", ""};
    Append(process + "/limits", true, &limits.text);
    files.push_back(std::move(limits));
    for (const char* name : {"/statm", "/oom_score", "/oom_score_adj"}) {
      Append(process + name, true, &memory.text);
    }
  }
  Append("/proc/meminfo", true, &memory.text);
  files.push_back(std::move(memory));

  EvidenceFile pressure{"pressure", ""};
  for (const char* name : {"cpu", "memory", "io"}) {
    Append(absl::StrCat("/proc/pressure/", name), true, &pressure.text);
  }
  Append("/proc/loadavg", true, &pressure.text);
  EvidenceFile group{"cgroup", ""};
  if (pid != 0) Append(process + "/cgroup", true, &group.text);
  for (const std::string& directory : GroupDirectories(process)) {
    for (const char* name : {"cpu.pressure", "memory.pressure", "io.pressure"}) {
      Append(absl::StrCat(directory, "/", name), false, &pressure.text);
    }
    for (const char* name : {"memory.current",
                             "memory.max",
                             "memory.high",
                             "memory.swap.current",
                             "memory.events",
                             "memory.usage_in_bytes",
                             "memory.limit_in_bytes",
                             "memory.failcnt",
                             "memory.oom_control",
                             "cpu.max",
                             "cpu.weight",
                             "cpu.stat",
                             "cpu.cfs_quota_us",
                             "cpu.cfs_period_us",
                             "cpu.shares",
                             "pids.current",
                             "pids.max",
                             "io.stat",
                             "freezer.state",
                             "cgroup.freeze"}) {
      Append(absl::StrCat(directory, "/", name), false, &group.text);
    }
  }
  files.push_back(std::move(pressure));
  files.push_back(std::move(group));
  return files;
}

long long OutOfMemoryKills(int pid) {
  for (const std::string& directory : GroupDirectories(absl::StrCat("/proc/", pid))) {
    for (const char* name : {"/memory.events", "/memory.oom_control"}) {
      std::string text;
      if (!ReadSmall(directory + name, &text)) continue;
      for (absl::string_view line : absl::StrSplit(text, '\n')) {
        long long kills = 0;
        if (absl::ConsumePrefix(&line, "oom_kill ") && absl::SimpleAtoi(line, &kills)) return kills;
      }
    }
  }
  return -1;
}

}  // namespace lockwarden
