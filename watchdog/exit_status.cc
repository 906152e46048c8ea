// The exit-code table.
#include "watchdog/exit_status.h"

#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>

namespace lockwarden {

ExitStatus DecideExit(const Options& options, const ProgramEnd& last, bool findings,
                      bool budget_spent) {
  if (budget_spent) return {kExitBudgetSpent, 0};
  const bool replaces = options.profile == Profile::kTest && options.exitcode != 0 && findings;
  if (last.signal != 0) {
    const bool ours =
        (last.deadlocked || last.stalled) && (last.signal == SIGABRT || last.signal == SIGKILL);
    if (ours && replaces) return {options.exitcode, 0};
    return {0, last.signal};
  }
  if (last.code != 0) return {last.code, 0};
  return {replaces ? options.exitcode : 0, 0};
}

bool CountsForExitCode(FindingKind kind) {
  switch (kind) {
    case FindingKind::kDeadlock:
    case FindingKind::kSelfDeadlock:
    case FindingKind::kOrderViolation:
    case FindingKind::kPotentialDeadlock:
    case FindingKind::kMisuse:
      return true;
    case FindingKind::kNestedMonitor:
    case FindingKind::kLostWakeup:
    case FindingKind::kSignalUnsafeLock:
    case FindingKind::kStall:
      return false;
  }
  return false;
}

bool ActsOn(FindingKind kind, Confidence confidence, Profile profile) {
  if (kind != FindingKind::kDeadlock && kind != FindingKind::kSelfDeadlock) return false;
  return confidence >=
         (profile == Profile::kProduction ? Confidence::kProven : Confidence::kLikely);
}

void LeaveWith(const ExitStatus& status) {
  if (status.signal != 0) {
    // The program has left its core file, if it may; a second one would hide it. A
    // core_pattern that is a pipe ignores the limit, so dumpable is cleared too.
    const struct rlimit none = {0, 0};
    setrlimit(RLIMIT_CORE, &none);
    prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
    signal(status.signal, SIG_DFL);
    sigset_t only;
    sigemptyset(&only);
    sigaddset(&only, status.signal);
    pthread_sigmask(SIG_UNBLOCK, &only, nullptr);
    kill(getpid(), status.signal);
    // Still here: pid 1 of a container is immune to signals of its own.
    _exit(128 + status.signal);
  }
  exit(status.code);
}

}  // namespace lockwarden
