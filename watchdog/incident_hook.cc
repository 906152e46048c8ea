// See incident_hook.h. Each command has a process group of its own, so that it can be killed
// with what it started, and Ctrl-C for PROGRAM does not reach it.
#include "watchdog/incident_hook.h"

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "watchdog/printable.h"

namespace lockwarden {
namespace {

// 0: it could not be started.
pid_t SpawnShell(const std::string& command, const std::vector<std::string>& environment) {
  std::vector<char*> variables;
  for (const std::string& entry : environment)
    variables.push_back(const_cast<char*>(entry.c_str()));
  variables.push_back(nullptr);
  char* const argv[] = {const_cast<char*>("sh"), const_cast<char*>("-c"),
                        const_cast<char*>(command.c_str()), nullptr};
  posix_spawn_file_actions_t files;
  posix_spawnattr_t attributes;
  if (posix_spawn_file_actions_init(&files) != 0) return 0;
  if (posix_spawnattr_init(&attributes) != 0) {
    posix_spawn_file_actions_destroy(&files);
    return 0;
  }
  sigset_t none, all;
  sigemptyset(&none);
  sigfillset(&all);
  posix_spawn_file_actions_addopen(&files, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_adddup2(&files, STDERR_FILENO, STDOUT_FILENO);
  posix_spawn_file_actions_addclosefrom_np(&files, STDERR_FILENO + 1);
  posix_spawnattr_setflags(&attributes,
                           POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
  posix_spawnattr_setsigmask(&attributes, &none);
  posix_spawnattr_setsigdefault(&attributes, &all);
  pid_t pid = 0;
  if (posix_spawn(&pid, "/bin/sh", &files, &attributes, argv, variables.data()) != 0) pid = 0;
  posix_spawnattr_destroy(&attributes);
  posix_spawn_file_actions_destroy(&files);
  return pid;
}

}  // namespace

IncidentHook::IncidentHook(std::string command, std::vector<std::string> environment,
                           uint64_t limit_ns)
    : command_(std::move(command)), environment_(std::move(environment)), limit_ns_(limit_ns) {}

void IncidentHook::Start(const Finding& finding, const std::string& directory, uint64_t now_ns) {
  if (command_.empty()) return;
  const std::string incident =
      finding.incident.empty() ? "" : absl::StrCat(directory, "/", finding.incident);
  std::vector<std::string> variables = {
      absl::StrCat("LOCKWARDEN_INCIDENT=", incident),
      absl::StrCat("LOCKWARDEN_KIND=", KindName(finding.kind)),
      absl::StrCat("LOCKWARDEN_CONFIDENCE=", ConfidenceName(finding.confidence)),
      absl::StrCat("LOCKWARDEN_PID=", finding.pid),
      absl::StrCat("LOCKWARDEN_PROGRAM=", Printable(finding.program)),
      absl::StrCat("LOCKWARDEN_FINGERPRINT=", finding.fingerprint),
      absl::StrCat("LOCKWARDEN_HEADLINE=", Printable(finding.headline))};
  if (running_.size() < kAtOnce) return Begin(std::move(variables), now_ns);
  if (waiting_.size() >= kWaiting) {
    ++results_["dropped"];
    return;
  }
  waiting_.push_back(std::move(variables));
}

void IncidentHook::Begin(std::vector<std::string> variables, uint64_t now_ns) {
  // Ours come last but must win: what was there under these names is left out.
  std::vector<std::string> environment;
  for (const std::string& entry : environment_) {
    if (!absl::StartsWith(entry, "LOCKWARDEN_")) environment.push_back(entry);
  }
  environment.insert(environment.end(), variables.begin(), variables.end());
  const pid_t pid = SpawnShell(command_, environment);
  if (pid == 0) {
    ++results_["failed"];
    return;
  }
  running_[pid].kill_at_ns = limit_ns_ == 0 ? 0 : now_ns + limit_ns_;
}

bool IncidentHook::Reaped(pid_t pid, int wait_status, uint64_t now_ns) {
  const auto found = running_.find(pid);
  if (found == running_.end()) return false;
  const bool ok = WIFEXITED(wait_status) && WEXITSTATUS(wait_status) == 0;
  ++results_[found->second.killed ? "timeout" : ok ? "ok" : "failed"];
  running_.erase(found);
  while (running_.size() < kAtOnce && !waiting_.empty()) {
    std::vector<std::string> next = std::move(waiting_.front());
    waiting_.pop_front();
    Begin(std::move(next), now_ns);
  }
  return true;
}

void IncidentHook::Look(uint64_t now_ns) {
  for (auto& [pid, running] : running_) {
    if (running.kill_at_ns == 0 || now_ns < running.kill_at_ns || running.killed) continue;
    running.killed = true;
    kill(-pid, SIGKILL);  // not reaped yet, so the group is still its own
  }
}

uint64_t IncidentHook::next_look_ns() const {
  uint64_t next = 0;
  for (const auto& [pid, running] : running_) {
    if (running.kill_at_ns == 0 || running.killed) continue;
    if (next == 0 || running.kill_at_ns < next) next = running.kill_at_ns;
  }
  return next;
}

}  // namespace lockwarden
