// The calls and their order; see ptrace(2), "Attaching and detaching" and "Group-stop".
#include "watchdog/inspect/stopped_thread.h"

#include <elf.h>
#include <sched.h>
#include <sys/ptrace.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>

#include "watchdog/process_facts.h"

namespace lockwarden {
namespace {

// Neither a busy loop nor a long sleep: most threads stop within microseconds.
class Patience {
 public:
  void Wait() {
    if (++turns_ <= 16) {
      sched_yield();
      return;
    }
    const timespec pause = {0, turns_ < 64 ? 20'000 : 500'000};
    nanosleep(&pause, nullptr);
  }

 private:
  int turns_ = 0;
};

enum class Wait { kStands, kMoves, kEnded };

// *signal: to be delivered when it goes on.
Wait AskForStop(pid_t thread, bool reap, int* signal) {
  siginfo_t info = {};
  const int options = WSTOPPED | WNOHANG | __WALL | (reap ? WEXITED : 0);
  if (waitid(P_PID, static_cast<id_t>(thread), &info, options) != 0) {
    return errno == EINTR ? Wait::kMoves : Wait::kEnded;
  }
  if (info.si_pid == 0) return Wait::kMoves;
  if (info.si_code != CLD_TRAPPED && info.si_code != CLD_STOPPED) return Wait::kEnded;
  // A stop for a signal about to be delivered has no event.
  *signal = info.si_status >> 8 == PTRACE_EVENT_STOP ? 0 : info.si_status & 0x7f;
  return Wait::kStands;
}

bool IsZombie(pid_t process) {
  const auto stat = ReadProcessStat(process);
  return !stat.has_value() || stat->state == 'Z' || stat->state == 'X';
}

}  // namespace

uint64_t MonotonicNow() {
  timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<uint64_t>(now.tv_sec) * 1'000'000'000 + static_cast<uint64_t>(now.tv_nsec);
}

StopOutcome StopBriefly(pid_t process, pid_t thread, uint64_t deadline_ns,
                        absl::FunctionRef<void(const user_regs_struct&)> look) {
  if (ptrace(PTRACE_SEIZE, thread, nullptr, nullptr) != 0) {
    return errno == ESRCH ? StopOutcome::kGone : StopOutcome::kRefused;
  }
  if (ptrace(PTRACE_INTERRUPT, thread, nullptr, nullptr) != 0) return StopOutcome::kGone;
  // A thread that ends while it is traced stays until its tracer asks. But the main thread of
  // a child of ours is the child itself, whose status somebody else waits for.
  const auto stat = thread == process ? ReadProcessStat(process) : std::nullopt;
  const bool ours = stat.has_value() && stat->parent == getpid();
  Patience patience;
  int signal = 0;
  for (;;) {
    const Wait wait = AskForStop(thread, /*reap=*/!ours, &signal);
    if (wait == Wait::kStands) break;
    if (wait == Wait::kEnded || (ours && IsZombie(process))) return StopOutcome::kGone;
    if (MonotonicNow() >= deadline_ns) return StopOutcome::kTooLate;
    patience.Wait();
  }
  user_regs_struct user = {};
  iovec where = {&user, sizeof(user)};
  const bool read = ptrace(PTRACE_GETREGSET, thread, NT_PRSTATUS, &where) == 0;
  if (read && where.iov_len == sizeof(user)) look(user);
  // Fails only if the thread was killed meanwhile.
  ptrace(PTRACE_DETACH, thread, nullptr, signal);
  return read ? StopOutcome::kStopped : StopOutcome::kGone;
}

}  // namespace lockwarden
