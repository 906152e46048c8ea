// SignalRelay: signals that arrive at the supervisor and are meant for PROGRAM.
//
// A terminal sends Ctrl-C to the whole foreground process group, PROGRAM included, so what
// the kernel sent is not sent again.
//
// Read by: the supervisor's loop. Not thread-safe.
#pragma once

#include <sys/signalfd.h>
#include <sys/types.h>

#include <csignal>

#include "watchdog/unique_fd.h"

namespace lockwarden {

class SignalRelay {
 public:
  // `forwarded` is blocked in every thread, and so is SIGCHLD.
  explicit SignalRelay(const sigset_t& forwarded);

  int fd() const { return fd_.get(); }
  int error() const { return error_; }  // errno: there is no descriptor; 0: there is one
  // The next signal that has arrived; false: none.
  bool Next(signalfd_siginfo* info);

  // Whether it is to be passed on: a process sent it, not the kernel. Pure.
  static bool CameFromProcess(const signalfd_siginfo& info);
  // Passes it on, with its value if it has one. `pid` has not been waited for.
  static void Forward(const signalfd_siginfo& info, pid_t pid);

 private:
  UniqueFd fd_;
  int error_ = 0;
};

}  // namespace lockwarden
