// RestartPolicy: whether, when and how often PROGRAM is started again. Time is given,
// never read, so every decision can be replayed.
//
// Written and read by: the supervisor's loop. Not thread-safe.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <string>
#include <vector>

#include "watchdog/options.h"

namespace lockwarden {

// How one life of PROGRAM ended.
struct ProgramEnd {
  int code = 0;             // exit code, when signal is 0
  int signal = 0;           // what killed it; 0: it exited
  bool deadlocked = false;  // we ended it because of a deadlock
  bool stalled = false;     // ... because of a stall
  bool asked_to_stop = false;  // TERM, INT or QUIT came before: it is not to live on
};

// "a deadlock", "exit code 1", "a crash (SIGSEGV)". Pure.
std::string DescribeEnd(const ProgramEnd& end);

class RestartPolicy {
 public:
  enum class Verdict { kEnd, kRestart, kBudgetSpent };
  struct Decision {
    Verdict verdict = Verdict::kEnd;
    uint64_t at_ns = 0;       // kRestart: not before
    int number = 0;           // kRestart: how many within the window, this one included
    const char* reason = "";  // "deadlock", "stall", "crash", "exit": the label in metrics
  };

  // `random`: for the jitter of pauses, so that programs which died of one cause do not all come
  // back at one moment; none: without it.
  explicit RestartPolicy(const Options& options, std::function<uint64_t()> random = nullptr);
  // Restarts of an earlier supervisor count as well. Oldest first, none later than now.
  void Remember(const std::vector<uint64_t>& restarts_ns);
  // Those that may still count.
  std::vector<uint64_t> history() const { return {restarts_ns_.begin(), restarts_ns_.end()}; }

  // Called once for each end of PROGRAM; `now_ns` never goes back.
  Decision OnEnd(const ProgramEnd& end, uint64_t now_ns);

  // Restarts still allowed now; -1: no limit, or restarts are off.
  int64_t Remaining(uint64_t now_ns) const;

  // A death that restart=on-failure acts upon. As with systemd, HUP, INT, TERM and PIPE
  // are orderly ends.
  static bool IsFailure(const ProgramEnd& end);

 private:
  // Whether a restart at `then_ns` still counts at `now_ns`.
  bool Counts(uint64_t then_ns, uint64_t now_ns) const;

  RestartWhen when_;
  std::function<uint64_t()> random_;
  uint64_t delay_ns_, window_ns_;
  int max_;
  bool limited_;
  std::deque<uint64_t> restarts_ns_;  // when each restart was decided, oldest first
};

}  // namespace lockwarden
