// SelfRestart: how a program that nobody supervises starts itself again: it executes itself with
// the arguments, the environment, the folder and the signal mask that it had.
//
// Not thread-safe. Must never: hand on a descriptor that was not asked for, or forget a restart.
#pragma once

#include <csignal>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"

namespace lockwarden {

class SelfRestart {
 public:
  // When the restarts within the window were, from one life to the next: CLOCK_MONOTONIC, in ns.
  static constexpr char kVariable[] = "LOCKWARDEN_RESTARTS";

  // Notes all that. To be made before signals are blocked, and folders changed, for itself.
  SelfRestart();

  // Of earlier lives, as kVariable says. Nothing later than now.
  std::vector<uint64_t> History(uint64_t now_ns) const;
  static std::vector<uint64_t> ParseHistory(absl::string_view text, uint64_t now_ns);

  // Leaves only standard descriptors open, and `kept`. Returns only if it fails: errno. Timers of
  // setitimer go on, and so does what other processes did for it.
  int Execute(const std::vector<int>& kept, const std::vector<uint64_t>& history) const;
  const std::string& program() const { return program_; }

 private:
  std::string program_, directory_;
  std::vector<std::string> arguments_, environment_;
  sigset_t mask_;
};

}  // namespace lockwarden
