// Stop from the root down, look again until nobody new turns up, then kill.
#include "watchdog/process_tree.h"

#include <sys/syscall.h>
#include <unistd.h>

#include <csignal>
#include <map>

#include "watchdog/process_facts.h"
#include "watchdog/unique_fd.h"

namespace lockwarden {
namespace {

constexpr int kMostRounds = 16;

void Send(const UniqueFd& pidfd, int signal) {
  syscall(SYS_pidfd_send_signal, pidfd.get(), signal, nullptr, 0);
}

// Adds the children of `pid` to `held`, stopped. A pid that was freed and reused since
// the list was read has another parent.
void HoldChildren(int pid, std::map<int, UniqueFd>* held) {
  for (int child : Children(pid)) {
    if (held->count(child) == 0) {
      UniqueFd pidfd(static_cast<int>(syscall(SYS_pidfd_open, child, 0)));
      const auto stat = ReadProcessStat(child);
      if (!pidfd.valid() || !stat.has_value() || stat->parent != pid) continue;
      Send(pidfd, SIGSTOP);
      held->emplace(child, std::move(pidfd));
    }
    HoldChildren(child, held);
  }
}

}  // namespace

void KillProcessTree(int root) {
  std::map<int, UniqueFd> held;
  kill(root, SIGSTOP);
  // A fork that was under way when its parent was stopped shows in the next round.
  size_t before = 0;
  for (int round = 0; round < kMostRounds && (round < 2 || held.size() != before); ++round) {
    before = held.size();
    HoldChildren(root, &held);
  }
  kill(root, SIGKILL);
  for (const auto& [pid, pidfd] : held) Send(pidfd, SIGKILL);
}

}  // namespace lockwarden
