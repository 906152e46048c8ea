// Child: starts PROGRAM so that it cannot tell the difference, and says exactly why when
// it cannot be started.
//
// Written and read by: the supervisor's thread. Must never: let PROGRAM inherit what is
// ours: signal mask and dispositions, descriptors, limits.
#pragma once

#include <sys/resource.h>
#include <sys/types.h>

#include <csignal>
#include <string>
#include <vector>

namespace lockwarden {

// What this process had from its parent and changes for itself. Taken first of all, before
// any thread exists. Not thread-safe.
class InheritedState {
 public:
  // Remembers it, then: signals are blocked for signalfd, SIGPIPE is ignored, SIGCHLD is
  // default (an inherited SIG_IGN would lose exit codes), the descriptor limit is raised.
  static InheritedState TakeOver();

  // In a fresh child: puts everything back, and closes on exec whatever was not inherited.
  // Async-signal-safe.
  void Restore() const;

  const sigset_t& forwarded() const { return forwarded_; }  // signals that are passed on
  bool WasIgnored(int signal) const;

 private:
  sigset_t mask_{}, forwarded_{}, ignored_{};
  struct sigaction pipe_{}, child_{};
  struct rlimit descriptors_{};
  bool limit_raised_ = false;
  std::vector<int> fds_;  // from 3 up, ascending
};

// A child that has ended, and how; 0: none has, so far. A signal in between is no answer.
pid_t ReapOne(int* status);

struct SpawnResult {
  pid_t pid = -1;
  int error = 0;  // errno of the exec, or of the fork when `forked` is false
  bool forked = false;
};
// Starts argv[0] (searched for in PATH) with `environment`. On error no child is left.
// `ends_with_us`: the kernel kills it when the calling thread ends.
SpawnResult Spawn(const std::vector<std::string>& argv, const std::vector<std::string>& environment,
                  const InheritedState& inherited, bool ends_with_us = false);

}  // namespace lockwarden
