// One line on standard error, if it is still the one that we were started with and takes it
// at once.
#include "runtime/notice.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <unistd.h>

#include "runtime/raw_syscall.h"

namespace lockwarden::ledger {
namespace {

// What standard error was at load. Written once, before there are other threads; a forked
// child has its parent's.
struct File {
  bool open = false;
  dev_t device = 0;
  ino_t inode = 0;
};
File standard_error;

File LookAt(int fd, mode_t* mode) {
  struct stat status{};
  // The call that libc's fstat makes, and the loader has made: a filter that is there from
  // the start lets it pass.
  if (RawSyscall(SYS_newfstatat, fd, AsLong(""), AsLong(&status), AT_EMPTY_PATH) != 0) return {};
  *mode = status.st_mode;
  return {true, status.st_dev, status.st_ino};
}

bool SameAsAtLoad(const File& now) {
  return now.open && standard_error.open && now.device == standard_error.device &&
         now.inode == standard_error.inode;
}

// A write past RLIMIT_FSIZE kills with SIGXFSZ; how far the file goes is not asked.
bool MayGrow() {
  rlimit limit{};
  return RawSyscall(SYS_prlimit64, 0, RLIMIT_FSIZE, 0, AsLong(&limit)) == 0 &&
         limit.rlim_cur == RLIM_INFINITY;
}

}  // namespace

void RememberStandardError() {
  mode_t mode = 0;
  standard_error = LookAt(STDERR_FILENO, &mode);
}

bool StandardErrorIsOurs() {
  mode_t mode = 0;
  return SameAsAtLoad(LookAt(STDERR_FILENO, &mode));
}

void WriteLine(const iovec* parts, int count) {
  mode_t mode = 0;
  if (!SameAsAtLoad(LookAt(STDERR_FILENO, &mode))) return;
  if (S_ISREG(mode) && !MayGrow()) return;
  // A pipe that nobody reads would block, one that nobody can read would kill with SIGPIPE.
  pollfd ready{STDERR_FILENO, POLLOUT, 0};
  timespec at_once{};
  if (RawSyscall(SYS_ppoll, AsLong(&ready), 1, AsLong(&at_once), 0) != 1) return;
  if (ready.revents != POLLOUT) return;
  RawSyscall(SYS_writev, STDERR_FILENO, AsLong(parts), count);
}

}  // namespace lockwarden::ledger
