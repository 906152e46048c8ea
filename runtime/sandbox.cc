// What seccomp leaves us. A filter that is there from the start cannot be read, so a child
// tries our calls first: it is killed in the program's stead. Making that child is a call,
// too, so it is made only where the filter is known to allow processes to be made.
#include "runtime/sandbox.h"

#include <fcntl.h>
#include <linux/memfd.h>
#include <poll.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstring>

#include "runtime/process.h"
#include "runtime/raw_syscall.h"
#include "runtime/start_info.h"
#include "runtime/text_lines.h"

namespace lockwarden::ledger {

constinit std::atomic<uint32_t> sandbox_count{0};

namespace {

// What /proc/PID/status says of seccomp. Read with the very calls that the loader has just
// made for every library; prctl might be forbidden. It comes late in that file, behind a list
// of groups that may be long.
class Status {
 public:
  explicit Status(const char* path) {
    ForEachLine(path, [this](const char* line) {
      Note(line, "Seccomp:\t", &mode_);
      Note(line, "Seccomp_filters:\t", &filters_);
      Note(line, "PPid:\t", &parent_);
    });
  }

  // Unreadable counts as none.
  bool has_filter() const { return mode_ != 0; }
  // Kernels before 5.9 do not count: then all filters look alike.
  uint64_t filters() const { return filters_; }
  uint64_t parent() const { return parent_; }

 private:
  static void Note(const char* line, const char* key, uint64_t* number) {
    const size_t length = std::strlen(key);
    if (std::strncmp(line, key, length) != 0) return;
    for (const char* at = line + length; *at >= '0' && *at <= '9'; ++at) {
      *number = *number * 10 + static_cast<uint64_t>(*at - '0');
    }
  }

  uint64_t mode_ = 0;
  uint64_t filters_ = 0;
  uint64_t parent_ = 0;
};

// Filters are inherited and only ever added to. A parent that is under as many as we are has
// made this process under the same ones, so they allow that.
bool ParentIsUnderTheSame(const Status& own) {
  if (own.parent() == 0) return false;  // in another pid namespace
  // "/proc/", up to twenty digits, "/status": written from its end.
  char path[40];
  char* begin = path + sizeof(path) - sizeof("/status");
  std::memcpy(begin, "/status", sizeof("/status"));
  for (uint64_t pid = own.parent(); pid != 0; pid /= 10) {
    *--begin = static_cast<char>('0' + pid % 10);
  }
  begin -= sizeof("/proc/") - 1;
  std::memcpy(begin, "/proc/", sizeof("/proc/") - 1);
  const Status parent(begin);
  return parent.has_filter() && parent.filters() == own.filters();
}

// How far the child has come. Memory is shared, so it tells by writing.
struct Progress {
  std::atomic<uint32_t> reached{0};  // Tried; a step is noted when it is over
  std::atomic<uint32_t> may_reap{0};
};

// In the child. Each call is made with arguments that do nothing: what a filter looks at is
// nearly always the number.
[[noreturn]] __attribute__((noinline)) void TryEach(Progress* progress) {
  const auto reached = [progress](Tried step) {
    // Relaxed, both: the parent waits until this process is gone.
    progress->reached.store(static_cast<uint32_t>(step), std::memory_order_relaxed);
  };
  // No core file, if this ends badly.
  const rlimit no_core{0, 0};
  RawSyscall(SYS_prlimit64, 0, RLIMIT_CORE, AsLong(&no_core), 0);
  RawSyscall(SYS_wait4, -1, 0, WNOHANG | __WALL, 0);
  progress->may_reap.store(1, std::memory_order_relaxed);  // as above
  iovec nothing{};
  timespec at_once{};
  RawSyscall(SYS_ppoll, 0, 0, AsLong(&at_once), 0);
  RawSyscall(SYS_writev, -1, AsLong(&nothing), 1);
  RawSyscall(SYS_getpid);
  RawSyscall(SYS_getcwd, 0, 0);
  reached(Tried::kLine);
  const long fd = RawSyscall(SYS_socket, AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  RawSyscall(SYS_connect, -1, 0, 0);
  RawSyscall(SYS_sendmsg, -1, 0, MSG_NOSIGNAL);
  RawSyscall(SYS_close, fd);
  reached(Tried::kNotice);
  RawSyscall(SYS_memfd_create, AsLong("lockwarden-ledger"), MFD_CLOEXEC | MFD_ALLOW_SEALING);
  RawSyscall(SYS_ftruncate, -1, 0);
  RawSyscall(SYS_fcntl, -1, F_ADD_SEALS, F_SEAL_SHRINK);
  RawSyscall(SYS_madvise, 0, 0, MADV_WIPEONFORK);
  RawSyscall(SYS_madvise, 0, 0, MADV_DONTDUMP);
  RawSyscall(SYS_getrandom, AsLong(&nothing), 0, 0);
  RawSyscall(SYS_readlinkat, AT_FDCWD, AsLong("/proc/self/exe"), AsLong(&nothing), 1);
  RawSyscall(SYS_getppid);
  RawSyscall(SYS_gettid);
  RawSyscall(SYS_sched_yield);
  RawSyscall(SYS_sigaltstack, 0, 0);
  RawSyscall(SYS_tgkill, 0, 0, 0);  // refused: no such thread
  RawSyscall(SYS_rt_sigprocmask, SIG_BLOCK, 0, 0, 8);
  RawSyscall(SYS_prctl, PR_SET_PTRACER, 0);
  RawSyscall(SYS_nanosleep, AsLong(&at_once), 0);
  reached(Tried::kAll);
  for (;;) RawSyscall(SYS_exit, 0);
}

// A child on this very stack and memory, as vfork makes it, but one that no wait of the
// program's sees and that sends no signal.
__attribute__((noinline)) long StartChild(Progress* progress) {
  const long pid = RawSyscall(SYS_clone, CLONE_VM | CLONE_VFORK, 0, 0, 0, 0);
  if (pid == 0) TryEach(progress);
  return pid;
}

}  // namespace

Tried TrySystemCalls() {
  const Status own("/proc/self/status");
  if (!own.has_filter()) return Tried::kAll;
  if (!ParentIsUnderTheSame(own)) return Tried::kNothing;
  Progress progress;
  const long pid = StartChild(&progress);
  if (pid < 0) return Tried::kNothing;
  // Relaxed, both: written by a process that is gone.
  if (progress.may_reap.load(std::memory_order_relaxed) != 0) {
    RawSyscall(SYS_wait4, pid, 0, __WALL, 0);
  }
  return static_cast<Tried>(progress.reached.load(std::memory_order_relaxed));  // as above
}

void NoteSeccomp() {
  if (!Sandboxed()) ReserveThreadStarts();
  sandbox_count.fetch_add(1);  // B1
}

void NoteNoSeccomp() { sandbox_count.fetch_sub(1); }

}  // namespace lockwarden::ledger
