// Watchdog: a linked service that nobody supervises looks after itself: a thread judges its locks
// and heartbeats, reports, calls back, aborts, or starts the program again.
//
//   auto watchdog = lockwarden::Watchdog::Start({
//       .options = "on_deadlock=restart,on_stall=abort,incidents=/var/lib/bank",
//       .on_incident = [](const lockwarden::Watchdog::Incident& i) { Page(i.headline); },
//       .kept_descriptors = {listening_socket}});
//
// Link lockwarden::watchdog. It shares the program's fate: where malloc or the loader is what
// hangs, it may hang as well, and after SIGKILL it is gone. A supervisor (`lockwarden run`) and the
// preload's helper do better; while one of them answers, the thread stands by, and takes over when
// it is gone.
//
// Thread safety: one thread starts and destroys it. In a forked child it is not there.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"

namespace lockwarden {

class Watchdog {
 public:
  struct Incident {
    std::string kind, confidence;  // "deadlock", "proven": as in the JSON of reports
    std::string headline;          // "DEADLOCK: 2 threads, 2 locks"
    std::string directory;         // with the black box; empty: none was written
  };
  struct Options {
    // "key=value,key=value", as LOCKWARDEN_OPTIONS, which wins: docs/run.md. profile is production
    // unless it is given; restart executes the program anew, within restart_max and restart_window.
    std::string options = {};
    // For each incident, on a thread of its own, after the report: an action waits for it for at
    // most a second. It should take no lock that the program holds while it works.
    std::function<void(const Incident&)> on_incident = {};
    // Beside the standard ones these descriptors, and no others, stay open over a restart.
    std::vector<int> kept_descriptors = {};
  };
  // Never throws. Errors: kInvalidArgument, one line, for an option that makes no sense or a file
  // that cannot be had; kUnavailable: no thread.
  static absl::StatusOr<std::unique_ptr<Watchdog>> Start(Options options);
  ~Watchdog();
  Watchdog(const Watchdog&) = delete;
  Watchdog& operator=(const Watchdog&) = delete;

  // Nobody else judges this process. Thread-safe.
  bool acts() const;

 private:
  class Impl;
  explicit Watchdog(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace lockwarden
