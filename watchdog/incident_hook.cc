// See incident_hook.h.
#include "watchdog/incident_hook.h"

#include <sys/wait.h>

#include <csignal>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "watchdog/printable.h"
#include "watchdog/shell_command.h"

namespace lockwarden {

IncidentHook::IncidentHook(std::string command, std::vector<std::string> environment,
                           uint64_t limit_ns)
    : command_(std::move(command)), environment_(std::move(environment)), limit_ns_(limit_ns) {}

void IncidentHook::Start(const Finding& finding, const std::string& directory, uint64_t now_ns,
                         const char* kind) {
  if (command_.empty()) return;
  const std::string incident =
      finding.incident.empty() ? "" : absl::StrCat(directory, "/", finding.incident);
  std::vector<std::string> variables = {
      absl::StrCat("LOCKWARDEN_INCIDENT=", incident),
      absl::StrCat("LOCKWARDEN_KIND=", kind == nullptr ? KindName(finding.kind) : kind),
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
  const pid_t pid = StartShell(command_, environment);
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
