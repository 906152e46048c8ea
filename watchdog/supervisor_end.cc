// The end of a run: what is still to be waited for, and the lines that say what was lost.
#include <poll.h>

#include "absl/strings/str_cat.h"
#include "watchdog/supervisor.h"

namespace lockwarden {

void Supervisor::AwaitHooks() {
  while (hook_.busy() || dumps_.busy()) {
    poll(nullptr, 0, 10);
    signalfd_siginfo info;
    bool stop = false;
    while (signals_.Next(&info)) stop |= AsksToStop(static_cast<int>(info.ssi_signo));
    if (stop) {
      setup_.desk->Notice("on_incident: not waited for any longer");
      break;
    }
    hook_.Look(NowNs());
    dumps_.Look(NowNs());
    int status;
    for (pid_t pid; (pid = ReapOne(&status)) != 0;) {
      ReapedOurs(pid, status, NowNs());
    }
  }
  const uint64_t bad = hook_.results().at("failed") + hook_.results().at("timeout") +
                       hook_.results().at("dropped");
  if (bad == 0) return;
  setup_.desk->Notice(absl::StrCat("on_incident: ", hook_.results().at("failed"), " failed, ",
                                   hook_.results().at("timeout"), " took too long, ",
                                   hook_.results().at("dropped"), " not run"));
}

ExitStatus Supervisor::Leave(uint64_t now_ns) {
  RetireEnded(now_ns);
  if (!processes_.empty()) {
    const size_t left = processes_.size();
    setup_.desk->Notice(absl::StrCat(left, left == 1 ? " process" : " processes", " of ",
                                     setup_.argv[0], " still running, no longer watched"));
  }
  while (!processes_.empty()) Retire(processes_.begin(), now_ns);
  Publish(now_ns);
  if (budget_spent_) {
    setup_.desk->Notice(absl::StrCat(
        "giving up on ", setup_.argv[0], " after ", DescribeEnd(last_end_),
        ": restart_max=", options_.restart_max,
        " within restart_window=", absl::FormatDuration(options_.restart_window), " is used up"));
  }
  AwaitHooks();
  if (const uint64_t withheld = dumps_.results().at("suppressed"); withheld != 0) {
    setup_.desk->Notice(absl::StrCat(withheld, withheld == 1 ? " core was" : " cores were",
                                     " not dumped: ", CoreDumps::kMost, " within an hour"));
  }
  if (journal_.lost() != 0) {
    setup_.desk->Notice(absl::StrCat(journal_.lost(), " messages to the journal lost"));
  }
  if (service_.lost() != 0) {
    setup_.desk->Notice(absl::StrCat(service_.lost(), " messages to the service manager lost"));
  }
  // Whoever preloads says nothing of its own, and expects no line where there was nothing to tell.
  if (setup_.attached != nullptr && setup_.desk->last_headline().empty()) return {0, 0};
  for (const std::string& line : setup_.desk->Summary(past_, setup_.registrar->refused())) {
    setup_.desk->Notice(line);
  }
  if (exit_.has_value()) return *exit_;
  return DecideExit(options_, last_end_, setup_.desk->any_counts_for_exit_code(), budget_spent_);
}

}  // namespace lockwarden
