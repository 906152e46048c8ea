// HelperCommand: `lockwarden watch`, which the preload library starts beside a program that nobody
// supervises (runtime/helper_call.h). The supervisor's code, without a PROGRAM of its own: it
// judges what registers, and ends with the last of them.
//
// Used by: main, once. Must never: keep the program's files, folder or terminal in use longer than
// the program does.
#pragma once

#include <sys/stat.h>

#include <vector>

#include "watchdog/child.h"
#include "watchdog/exit_status.h"
#include "watchdog/supervisor.h"

namespace lockwarden {

ExitStatus HelperCommand(const InheritedState& inherited, MetricsServerFactory make_metrics_server);

// Standard error, for as long as one of the processes has that very file as its own.
//
// Not thread-safe.
class BorrowedStderr {
 public:
  BorrowedStderr();
  // Asks about the live processes; gives the file back when two looks in a row found it with none.
  void Look(const std::vector<int>& pids);
  bool given_back() const { return given_back_; }

 private:
  // Also if it may not be asked.
  bool IsOfProcess(int pid) const;

  struct stat file_ {};
  bool missed_ = false, given_back_ = false;
};

}  // namespace lockwarden
