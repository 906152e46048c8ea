// CoreDumps: cores of processes that live on, by gcore(1) of gdb, which stops them for as long
// as it copies.
//
// Written and read by: the supervisor's loop, which also reaps. Not thread-safe. Must never: wait
// for gcore, fill the disk, or dump more often than the limit; what was not dumped is counted.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <deque>
#include <map>
#include <string>
#include <vector>

#include "absl/status/status.h"

namespace lockwarden {

class CoreDumps {
 public:
  static constexpr size_t kMost = 3;                         // within ...
  static constexpr uint64_t kWindowNs = 3'600'000'000'000;   // ... an hour
  static constexpr uint64_t kTimeLimitNs = 120'000'000'000;  // of one
  // `environment`: gcore's, "NAME=value" each. `most_bytes`: of a process that is dumped; 0: any.
  CoreDumps(std::vector<std::string> environment, uint64_t most_bytes)
      : environment_(std::move(environment)), most_bytes_(most_bytes) {}

  // DIRECTORY/core.PID, with what gcore says in gcore.txt beside it. Errors: why not, one
  // clause; counted.
  absl::Status Start(int pid, const std::string& directory, uint64_t now_ns);
  // Whether the child that was waited for was ours. *said: a line for the user, may be empty.
  bool Reaped(pid_t pid, int wait_status, std::string* said);
  // Kills what is overdue.
  void Look(uint64_t now_ns);

  bool busy() const { return !running_.empty(); }
  bool IsDumping(int pid) const;
  uint64_t next_look_ns() const;  // 0: none
  // By result: "ok", "failed", "timeout", "suppressed" (the limit).
  const std::map<std::string, uint64_t>& results() const { return results_; }

 private:
  struct Running {
    int of = 0;  // the process
    std::string directory;
    uint64_t kill_at_ns = 0;
    bool killed = false;
  };

  absl::Status MayDump(int pid, const std::string& directory, uint64_t now_ns);

  const std::vector<std::string> environment_;
  const uint64_t most_bytes_;
  std::map<pid_t, Running> running_;  // by gcore's pid
  std::deque<uint64_t> begun_ns_;
  std::map<std::string, uint64_t> results_ = {
      {"ok", 0}, {"failed", 0}, {"timeout", 0}, {"suppressed", 0}};
};

}  // namespace lockwarden
