// What the service manager is told of PROGRAM, on each tick.
#include "absl/strings/str_cat.h"
#include "watchdog/process_facts.h"
#include "watchdog/stall_policy.h"
#include "watchdog/supervisor.h"

namespace lockwarden {
namespace {
constexpr uint64_t kExtendUsec = 5'000'000;  // asked for again on each tick
}  // namespace

bool Supervisor::IsWell(uint64_t now_ns) const {
  if (joint_.deadlocks_now() != 0) return false;
  for (const auto& [pid, process] : processes_) {
    if (process->judge().state().deadlock_cycles != 0) return false;
    const std::vector<Stall> stalls = process->judge().stalls().now();
    if (StallToActOn(stalls, options_, now_ns) != nullptr) return false;
  }
  return program_ != 0 || restart_at_ns_ != 0;
}

void Supervisor::TellServiceManager(uint64_t now_ns) {
  if (!service_.listens() || options_.notify == NotifyWho::kOff) return;
  if (options_.notify == NotifyWho::kOwn && program_ != 0) service_.Ready();
  if (stop_.asked()) service_.Stopping();
  service_.Look(IsWell(now_ns), now_ns);
  const std::string& last = setup_.desk->last_headline();
  const char* state = program_ != 0 ? "running" : "between two lives";
  service_.Status(last.empty() ? state : absl::StrCat(state, "; last finding: ", last));
  bool dumping = dumps_.busy();
  for (const auto& [pid, process] : processes_) {
    dumping |= process->kill_at_ns != 0 && IsDumpingCore(pid);
  }
  if (dumping) service_.Extend(kExtendUsec);
}

}  // namespace lockwarden
