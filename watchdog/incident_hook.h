// IncidentHook: runs the user's command (on_incident=CMD) for each incident: to page somebody,
// to copy the directory away.
//
// Written and read by: the supervisor's loop, which also reaps. Not thread-safe. Must never: wait
// for the command. One that takes longer than its time limit is killed, with what it started.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <deque>
#include <map>
#include <string>
#include <vector>

#include "watchdog/finding.h"

namespace lockwarden {

class IncidentHook {
 public:
  static constexpr size_t kAtOnce = 4;    // commands that run at a time
  static constexpr size_t kWaiting = 64;  // further ones wait; beyond them they are dropped

  // `environment`: the command's, "NAME=value" each. `limit_ns`: 0: no time limit.
  IncidentHook(std::string command, std::vector<std::string> environment, uint64_t limit_ns);

  // `sh -c CMD` with LOCKWARDEN_INCIDENT (the directory; empty: none could be written),
  // LOCKWARDEN_KIND, LOCKWARDEN_CONFIDENCE, LOCKWARDEN_PID, LOCKWARDEN_PROGRAM,
  // LOCKWARDEN_FINGERPRINT and LOCKWARDEN_HEADLINE. Its output goes to standard error.
  // `kind`: of what is no finding ("crash"); null: the finding's.
  void Start(const Finding& finding, const std::string& directory, uint64_t now_ns,
             const char* kind = nullptr);
  // Whether the child that was waited for was a command; `wait_status` as of waitpid.
  bool Reaped(pid_t pid, int wait_status, uint64_t now_ns);
  // Kills what is overdue.
  void Look(uint64_t now_ns);

  bool busy() const { return !running_.empty() || !waiting_.empty(); }
  uint64_t next_look_ns() const;  // 0: none
  // By result: "ok", "failed" (exit code, signal, or not started), "timeout", "dropped".
  const std::map<std::string, uint64_t>& results() const { return results_; }

 private:
  struct Running {
    uint64_t kill_at_ns = 0;  // 0: never
    bool killed = false;
  };

  void Begin(std::vector<std::string> variables, uint64_t now_ns);

  const std::string command_;
  const std::vector<std::string> environment_;
  const uint64_t limit_ns_;
  std::map<pid_t, Running> running_;
  std::deque<std::vector<std::string>> waiting_;  // variables of each
  std::map<std::string, uint64_t> results_ = {
      {"ok", 0}, {"failed", 0}, {"timeout", 0}, {"dropped", 0}};
};

}  // namespace lockwarden
