// ExitStatus: what `lockwarden run` answers to whoever started it. Scripts trust this
// table; docs/run.md shows it.
// Thread safety: values and pure functions.
#pragma once

#include "watchdog/finding.h"
#include "watchdog/options.h"
#include "watchdog/restart_policy.h"

namespace lockwarden {

inline constexpr int kExitUsage = 64;
inline constexpr int kExitBudgetSpent = 69;
inline constexpr int kExitNotExecutable = 126;
inline constexpr int kExitNotFound = 127;

struct ExitStatus {
  int code = 0;
  int signal = 0;  // not 0: die of this signal instead
  friend bool operator==(const ExitStatus&, const ExitStatus&) = default;
};

// After the last life of PROGRAM. `findings`: at least one that CountsForExitCode.
ExitStatus DecideExit(const Options& options, const ProgramEnd& last, bool findings,
                      bool budget_spent);

// Whether a finding of this kind turns exit code 0 into `exitcode`.
bool CountsForExitCode(FindingKind kind);

// Whether on_deadlock acts on it: a deadlock, and sure enough for the profile.
bool ActsOn(FindingKind kind, Confidence confidence, Profile profile);

// Ends this process: by the code, or by the signal and without a core file of ours.
[[noreturn]] void LeaveWith(const ExitStatus& status);

}  // namespace lockwarden
