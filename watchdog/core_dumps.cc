// See core_dumps.h. The process is copied by somebody else's program since what a core must
// hold differs from machine to machine; gdb knows it, and detaches also when it is killed.
#include "watchdog/core_dumps.h"

#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "watchdog/preflight.h"
#include "watchdog/process_facts.h"
#include "watchdog/shell_command.h"

namespace lockwarden {
namespace {

// A core has what is resident, and a little for each mapping and thread.
constexpr uint64_t kMargin = 64 * 1024 * 1024;

std::string Quoted(const std::string& text) {
  return absl::StrCat("'", absl::StrReplaceAll(text, {{"'", "'\\''"}}), "'");
}

uint64_t Megabytes(uint64_t bytes) { return (bytes + 999'999) / 1'000'000; }

}  // namespace

absl::Status CoreDumps::MayDump(int pid, const std::string& directory, uint64_t now_ns) {
  if (FindProgram("gcore", getenv("PATH")).empty()) {
    return absl::NotFoundError("gcore is not installed (it comes with gdb)");
  }
  const uint64_t bytes = ResidentBytes(pid) + kMargin;
  struct statvfs disk;
  if (statvfs(directory.c_str(), &disk) != 0) return absl::NotFoundError("it has no incident");
  const uint64_t room = static_cast<uint64_t>(disk.f_bavail) * disk.f_frsize;
  if (bytes > room / 2) {
    return absl::ResourceExhaustedError(
        absl::StrCat("it may take ", Megabytes(bytes), " MB, and the disk has ", Megabytes(room)));
  }
  if (most_bytes_ != 0 && bytes > most_bytes_) {
    return absl::ResourceExhaustedError(absl::StrCat("it may take ", Megabytes(bytes),
                                                     " MB; incidents_mb=", Megabytes(most_bytes_)));
  }
  while (!begun_ns_.empty() && now_ns - begun_ns_.front() >= kWindowNs) begun_ns_.pop_front();
  if (begun_ns_.size() < kMost) return absl::OkStatus();
  return absl::UnavailableError(absl::StrCat(kMost, " were dumped within an hour"));
}

absl::Status CoreDumps::Start(int pid, const std::string& directory, uint64_t now_ns) {
  const absl::Status may = MayDump(pid, directory, now_ns);
  if (!may.ok()) {
    ++results_[absl::IsUnavailable(may) ? "suppressed" : "failed"];
    return may;
  }
  std::vector<std::string> environment;
  for (const std::string& entry : environment_) {
    // Symbols are not asked for, least of all over a network.
    if (!absl::StartsWith(entry, "DEBUGINFOD_URLS=")) environment.push_back(entry);
  }
  const std::string prefix = absl::StrCat(directory, "/core");
  const pid_t child = StartShell(absl::StrCat("umask 077; exec gcore -o ", Quoted(prefix), " ", pid,
                                              " >", Quoted(directory + "/gcore.txt"), " 2>&1"),
                                 environment);
  if (child == 0) {
    ++results_["failed"];
    return absl::InternalError("gcore cannot be started");
  }
  begun_ns_.push_back(now_ns);
  running_[child] = {pid, directory, now_ns + kTimeLimitNs, false};
  return absl::OkStatus();
}

bool CoreDumps::Reaped(pid_t pid, int wait_status, std::string* said) {
  const auto found = running_.find(pid);
  if (found == running_.end()) return false;
  const Running dump = std::move(found->second);
  running_.erase(found);
  const std::string core = absl::StrCat(dump.directory, "/core.", dump.of);
  struct stat file;
  const bool ok =
      WIFEXITED(wait_status) && WEXITSTATUS(wait_status) == 0 && stat(core.c_str(), &file) == 0;
  ++results_[dump.killed ? "timeout" : ok ? "ok" : "failed"];
  if (ok) {
    *said = absl::StrCat("dumped a core of pid ", dump.of, ": ", core);
    return true;
  }
  unlink(core.c_str());  // half a core
  *said = absl::StrCat(
      "no core of pid ", dump.of, ": gcore ",
      dump.killed ? "took too long" : absl::StrCat("failed, see ", dump.directory, "/gcore.txt"));
  return true;
}

void CoreDumps::Look(uint64_t now_ns) {
  for (auto& [pid, dump] : running_) {
    if (dump.killed || now_ns < dump.kill_at_ns) continue;
    dump.killed = true;
    kill(-pid, SIGKILL);  // not reaped yet, so the group is still its own
  }
}

bool CoreDumps::IsDumping(int pid) const {
  for (const auto& [child, dump] : running_) {
    if (dump.of == pid) return true;
  }
  return false;
}

uint64_t CoreDumps::next_look_ns() const {
  uint64_t next = 0;
  for (const auto& [child, dump] : running_) {
    if (!dump.killed && (next == 0 || dump.kill_at_ns < next)) next = dump.kill_at_ns;
  }
  return next;
}

}  // namespace lockwarden
