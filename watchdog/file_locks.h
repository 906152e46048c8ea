// Who holds a file lock that a thread waits for, according to the kernel.
//
// A flock or OFD lock belongs to an open file description, which forked and dup'ed
// descriptors share; a POSIX lock to a process. /proc/PID/fdinfo/FD lists each lock under
// the descriptors that can release it, so the holders of a lock are all processes with such
// a line: any thread of any of them may release it. That the thread really waits is asked
// twice: of its system call, and of the "->" lines of /proc/locks.
//
// Reads every process's descriptors: for suspects only. Thread safety: no state.
// Must never: block (file systems are not asked), or leave out a holder without saying so.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "watchdog/judge.h"

namespace lockwarden {

enum class FileLockFamily { kFlock, kPosix, kOfd };
inline constexpr uint64_t kEndOfFile = ~uint64_t{0};

// One line of /proc/locks or fdinfo, and one lock.
struct FileLock {
  FileLockFamily family = FileLockFamily::kFlock;
  bool exclusive = false;
  int pid = 0;  // of the process that took it, or asks for it; -1: OFD
  uint64_t inode = 0;
  uint64_t first = 0, last = kEndOfFile;  // bytes
  bool waits = false;                     // "->": asks for it
  friend auto operator<=>(const FileLock&, const FileLock&) = default;
};
// "1: -> FLOCK  ADVISORY  WRITE 700 fe:00:16276 0 EOF". Nothing for other sorts. Pure.
std::optional<FileLock> ParseFileLock(absl::string_view line);
// Both cannot be granted to different owners. Pure.
bool Conflict(const FileLock& a, const FileLock& b);

struct HeldFileLock {
  FileLock lock;
  std::set<int> holders;  // pids, as we see them: any thread of any of them may release it
  std::map<int, std::set<uint64_t>> descriptors;  // by pid: it is held through one of these
};

// What a thread waits for.
struct FileLockWait {
  FileLock wanted;
  std::string identity;  // the same for every process: device, inode, family and range
  std::string path;      // as the process sees it
  std::vector<HeldFileLock> conflicting;  // it needs each of them released
  bool complete = true;  // false: some processes could not be looked into
};

class FileLockView {
 public:
  virtual ~FileLockView() = default;
  // nullopt: the thread (of process `pid`, as we see it) is not, or cannot be shown to be,
  // blocked on a file lock without a time limit.
  virtual std::optional<FileLockWait> Ask(int pid, const KernelThread& thread,
                                          KernelView* kernel) = 0;
};
std::unique_ptr<FileLockView> MakeProcFileLockView();

}  // namespace lockwarden
