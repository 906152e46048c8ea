// fork and exec. Other threads may exist (the exporter's), so between the two only
// async-signal-safe calls are made, on memory that was prepared before.
#include "watchdog/child.h"

#include <dirent.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <cstdlib>

#include "watchdog/unique_fd.h"

namespace lockwarden {
namespace {

std::vector<int> OpenDescriptors() {
  std::vector<int> fds;
  DIR* directory = opendir("/proc/self/fd");
  if (directory == nullptr) return fds;
  while (const dirent* entry = readdir(directory)) {
    const int fd = std::atoi(entry->d_name);
    if (fd >= 3 && fd != dirfd(directory)) fds.push_back(fd);
  }
  closedir(directory);
  std::sort(fds.begin(), fds.end());
  return fds;
}

void CloseOnExec(unsigned first, unsigned last) {
  if (first <= last) syscall(SYS_close_range, first, last, CLOSE_RANGE_CLOEXEC);
}

std::vector<char*> Pointers(const std::vector<std::string>& strings) {
  std::vector<char*> pointers;
  for (const std::string& s : strings) pointers.push_back(const_cast<char*>(s.c_str()));
  pointers.push_back(nullptr);
  return pointers;
}

}  // namespace

InheritedState InheritedState::TakeOver() {
  InheritedState state;
  for (int fd = 0; fd < 3; ++fd) {
    // A standard descriptor that is closed must not become one of ours; PROGRAM finds it
    // closed, as we did.
    if (fcntl(fd, F_GETFD) >= 0) continue;
    [[maybe_unused]] const int filled = open("/dev/null", O_RDWR | O_CLOEXEC);
  }
  state.fds_ = OpenDescriptors();
  sigemptyset(&state.forwarded_);
  for (int signal : {SIGHUP, SIGINT, SIGQUIT, SIGUSR1, SIGUSR2, SIGALRM, SIGTERM, SIGCONT,
                     SIGWINCH, SIGURG, SIGIO, SIGPWR, SIGVTALRM, SIGPROF}) {
    sigaddset(&state.forwarded_, signal);
  }
  for (int signal = SIGRTMIN; signal <= SIGRTMAX; ++signal) sigaddset(&state.forwarded_, signal);
  sigset_t blocked = state.forwarded_;
  sigaddset(&blocked, SIGCHLD);
  pthread_sigmask(SIG_BLOCK, &blocked, &state.mask_);
  sigemptyset(&state.ignored_);
  for (int signal = 1; signal <= SIGRTMAX; ++signal) {
    struct sigaction action;
    if (sigaction(signal, nullptr, &action) == 0 && action.sa_handler == SIG_IGN) {
      sigaddset(&state.ignored_, signal);
    }
  }
  struct sigaction action{};
  action.sa_handler = SIG_IGN;
  sigaction(SIGPIPE, &action, &state.pipe_);
  action.sa_handler = SIG_DFL;
  sigaction(SIGCHLD, &action, &state.child_);
  if (getrlimit(RLIMIT_NOFILE, &state.descriptors_) == 0) {
    // A build may have thousands of processes at once; each costs us descriptors.
    const struct rlimit most = {state.descriptors_.rlim_max, state.descriptors_.rlim_max};
    state.limit_raised_ = setrlimit(RLIMIT_NOFILE, &most) == 0;
  }
  return state;
}

bool InheritedState::WasIgnored(int signal) const { return sigismember(&ignored_, signal) == 1; }

void InheritedState::Restore() const {
  unsigned next = 3;
  for (int fd : fds_) {
    CloseOnExec(next, static_cast<unsigned>(fd) - 1);
    next = static_cast<unsigned>(fd) + 1;
  }
  CloseOnExec(next, UINT_MAX);
  if (limit_raised_) setrlimit(RLIMIT_NOFILE, &descriptors_);
  sigaction(SIGPIPE, &pipe_, nullptr);
  sigaction(SIGCHLD, &child_, nullptr);
  pthread_sigmask(SIG_SETMASK, &mask_, nullptr);
}

pid_t ReapOne(int* status) {
  pid_t pid;
  do {
    pid = waitpid(-1, status, WNOHANG);
  } while (pid < 0 && errno == EINTR);
  return pid < 0 ? 0 : pid;
}

SpawnResult Spawn(const std::vector<std::string>& argv, const std::vector<std::string>& environment,
                  const InheritedState& inherited, bool ends_with_us) {
  SpawnResult result;
  const pid_t parent = getpid();
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) return result.error = errno, result;
  UniqueFd read_end(ends[0]), write_end(ends[1]);
  const std::vector<char*> arguments = Pointers(argv);
  const std::vector<char*> variables = Pointers(environment);
  result.pid = fork();
  if (result.pid < 0) return result.error = errno, result;
  if (result.pid == 0) {
    inherited.Restore();
    // Who ended before the kernel was told sends nothing any more.
    if (ends_with_us && (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0 || getppid() != parent)) _exit(127);
    execvpe(arguments[0], arguments.data(), variables.data());
    const int error = errno;
    [[maybe_unused]] const ssize_t told = write(write_end.get(), &error, sizeof error);
    _exit(127);
  }
  result.forked = true;
  write_end.reset();
  ssize_t got;
  do {
    got = read(read_end.get(), &result.error, sizeof result.error);
  } while (got < 0 && errno == EINTR);
  if (got != sizeof result.error) return result.error = 0, result;  // closed by the exec
  while (waitpid(result.pid, nullptr, 0) < 0 && errno == EINTR) {
  }
  result.pid = -1;
  return result;
}

}  // namespace lockwarden
