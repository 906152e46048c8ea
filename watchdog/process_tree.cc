// Stop from the root down, look again until nobody new turns up, then kill.
#include "watchdog/process_tree.h"

#include <sys/syscall.h>
#include <unistd.h>

#include <csignal>
#include <ctime>
#include <map>
#include <set>

#include "watchdog/process_facts.h"
#include "watchdog/unique_fd.h"

namespace lockwarden {
namespace {

constexpr int kMostRounds = 16;
// In all, for those that do not stop: a thread in uninterruptible sleep does not.
constexpr int kMostMoments = 300;

class KernelTree : public ProcessTreeView {
 public:
  explicit KernelTree(int root) : root_(root) { kill(root, SIGSTOP); }
  std::vector<int> Children(int pid) override { return lockwarden::Children(pid); }
  bool Stop(int child, int parent) override {
    UniqueFd pidfd(static_cast<int>(syscall(SYS_pidfd_open, child, 0)));
    const auto stat = ReadProcessStat(child);
    // A pid that was freed and reused since the list was read has another parent.
    if (!pidfd.valid() || !stat.has_value() || stat->parent != parent) return false;
    Send(pidfd, SIGSTOP);
    held_.emplace(child, std::move(pidfd));
    return true;
  }
  bool StandsStill(int pid) override { return lockwarden::StandsStill(pid); }
  void WaitAMoment() override {
    const timespec moment{0, 1000 * 1000};
    nanosleep(&moment, nullptr);
  }
  void KillAll() override {
    kill(root_, SIGKILL);
    for (const auto& [pid, pidfd] : held_) Send(pidfd, SIGKILL);
  }

 private:
  static void Send(const UniqueFd& pidfd, int signal) {
    syscall(SYS_pidfd_send_signal, pidfd.get(), signal, nullptr, 0);
  }

  int root_;
  std::map<int, UniqueFd> held_;
};

struct Walk {
  ProcessTreeView* view;
  std::set<int> held = {};
  int moments_left = kMostMoments;

  void HoldChildren(int pid) {
    while (!view->StandsStill(pid) && moments_left > 0) {
      view->WaitAMoment();
      --moments_left;
    }
    for (int child : view->Children(pid)) {
      if (held.count(child) == 0) {
        if (!view->Stop(child, pid)) continue;
        held.insert(child);
      }
      HoldChildren(child);
    }
  }
};

}  // namespace

void KillProcessTree(int root, ProcessTreeView* view) {
  Walk walk{view};
  // The kernel may leave a child out of a list while another one ends.
  size_t before = 0;
  for (int round = 0; round < kMostRounds && (round < 2 || walk.held.size() != before); ++round) {
    before = walk.held.size();
    walk.HoldChildren(root);
  }
  view->KillAll();
}

void KillProcessTree(int root) {
  KernelTree tree(root);
  KillProcessTree(root, &tree);
}

}  // namespace lockwarden
