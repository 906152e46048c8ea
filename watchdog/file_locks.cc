// Reads system calls, descriptors and /proc/locks; see file_locks.h.
#include "watchdog/file_locks.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <fstream>
#include <map>
#include <sstream>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "watchdog/process_list.h"

namespace lockwarden {

std::optional<FileLock> ParseFileLock(absl::string_view line) {
  std::vector<absl::string_view> words = absl::StrSplit(line, ' ', absl::SkipEmpty());
  FileLock lock;
  if (words.size() > 1 && words[1] == "->") {
    lock.waits = true;
    words.erase(words.begin() + 1);
  }
  // number: family kind type pid major:minor:inode first last
  if (words.size() != 8) return std::nullopt;
  if (words[1] == "FLOCK") {
    lock.family = FileLockFamily::kFlock;
  } else if (words[1] == "POSIX") {
    lock.family = FileLockFamily::kPosix;
  } else if (words[1] == "OFDLCK") {
    lock.family = FileLockFamily::kOfd;
  } else {
    return std::nullopt;  // a lease, a delegation
  }
  lock.exclusive = words[3] == "WRITE";
  const size_t inode = words[5].rfind(':');
  if ((!lock.exclusive && words[3] != "READ") || !absl::SimpleAtoi(words[4], &lock.pid) ||
      inode == absl::string_view::npos ||
      !absl::SimpleAtoi(words[5].substr(inode + 1), &lock.inode) ||
      !absl::SimpleAtoi(words[6], &lock.first)) {
    return std::nullopt;
  }
  if (words[7] != "EOF" && !absl::SimpleAtoi(words[7], &lock.last)) return std::nullopt;
  return lock;
}

bool Conflict(const FileLock& a, const FileLock& b) {
  const bool a_flock = a.family == FileLockFamily::kFlock;
  const bool b_flock = b.family == FileLockFamily::kFlock;
  return a_flock == b_flock && (a.exclusive || b.exclusive) && a.first <= b.last &&
         b.first <= a.last;
}

namespace {

const char* FamilyName(FileLockFamily family) {
  switch (family) {
    case FileLockFamily::kFlock: return "flock";
    case FileLockFamily::kPosix: return "posix";
    case FileLockFamily::kOfd: return "ofd";
  }
  return "flock";
}

std::string ReadWhole(const std::string& path) {
  std::ifstream file(path);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

// The file behind a descriptor, as the kernel has it in memory: no file system is asked.
struct FileId {
  uint64_t device = 0, inode = 0, size = 0;
  bool SameFile(const FileId& other) const {
    return device == other.device && inode == other.inode;
  }
};
std::optional<FileId> FileBehind(int folder, const char* name) {
  struct statx about;
  if (statx(folder, name, AT_STATX_DONT_SYNC | AT_NO_AUTOMOUNT, STATX_INO | STATX_SIZE, &about) !=
      0) {
    return std::nullopt;
  }
  return FileId{uint64_t{about.stx_dev_major} << 32 | about.stx_dev_minor, about.stx_ino,
                about.stx_size};
}

// What "pos:" of a descriptor's fdinfo says.
std::optional<uint64_t> PositionIn(const std::string& fdinfo) {
  uint64_t position = 0;
  const std::vector<absl::string_view> words =
      absl::StrSplit(fdinfo, absl::ByAnyChar("\t\n "), absl::SkipEmpty());
  if (words.size() < 2 || words[0] != "pos:" || !absl::SimpleAtoi(words[1], &position)) {
    return std::nullopt;
  }
  return position;
}

std::vector<FileLock> LocksIn(const std::string& fdinfo) {
  std::vector<FileLock> locks;
  for (absl::string_view line : absl::StrSplit(fdinfo, '\n')) {
    if (!absl::ConsumePrefix(&line, "lock:")) continue;
    if (const auto lock = ParseFileLock(absl::StripAsciiWhitespace(line)); lock.has_value()) {
      locks.push_back(*lock);
    }
  }
  return locks;
}

// What the system call asks for, but for the inode. False: no wait for a file lock.
bool ParseCall(const KernelThread& thread, KernelView* kernel, const FileId& file,
               const std::string& fdinfo, FileLock* wanted) {
  if (thread.syscall == SYS_flock) {
    const uint64_t operation = thread.syscall_args[1];
    if ((operation & LOCK_NB) != 0 || (operation & (LOCK_SH | LOCK_EX)) == 0) return false;
    wanted->exclusive = (operation & LOCK_EX) != 0;
    return true;
  }
  const uint64_t command = thread.syscall_args[1];
  if (thread.syscall != SYS_fcntl || (command != F_SETLKW && command != F_OFD_SETLKW)) {
    return false;
  }
  wanted->family = command == F_SETLKW ? FileLockFamily::kPosix : FileLockFamily::kOfd;
  struct flock asked;
  if (!kernel->ReadMemory(thread.syscall_args[2], &asked, sizeof(asked))) return false;
  if (asked.l_type != F_RDLCK && asked.l_type != F_WRLCK) return false;
  wanted->exclusive = asked.l_type == F_WRLCK;
  int64_t base = 0;
  if (asked.l_whence == SEEK_END) base = static_cast<int64_t>(file.size);
  if (asked.l_whence == SEEK_CUR) {
    const auto position = PositionIn(fdinfo);
    if (!position.has_value()) return false;
    base = static_cast<int64_t>(*position);
  }
  const int64_t start = base + asked.l_start;
  const int64_t first = asked.l_len < 0 ? start + asked.l_len : start;
  if (first < 0) return false;
  wanted->first = static_cast<uint64_t>(first);
  if (asked.l_len > 0) wanted->last = static_cast<uint64_t>(start + asked.l_len - 1);
  if (asked.l_len < 0) wanted->last = static_cast<uint64_t>(start - 1);
  return true;
}

// A kernel thread, or one that has ended: it has no descriptors.
bool HasNone(int pid) {
  const std::string status = ReadWhole(absl::StrCat("/proc/", pid, "/status"));
  const auto says = [&](const char* line) { return status.find(line) != std::string::npos; };
  const bool child_of_kernel = says("\nPPid:\t0\n") || says("\nPPid:\t2\n");
  return status.empty() || says("\nState:\tZ") || (child_of_kernel && !says("\nVmSize:"));
}

class ProcFileLockView : public FileLockView {
 public:
  std::optional<FileLockWait> Ask(int pid, const KernelThread& thread,
                                  KernelView* kernel) override {
    if (!thread.exists || thread.state != 'S' || !thread.syscall.has_value()) return std::nullopt;
    const uint64_t fd = thread.syscall_args[0] & 0xffffffffu;
    const std::string link = absl::StrCat("/proc/", pid, "/fd/", fd);
    const std::optional<FileId> file = FileBehind(AT_FDCWD, link.c_str());
    if (!file.has_value()) return std::nullopt;
    const std::string fdinfo = ReadWhole(absl::StrCat("/proc/", pid, "/fdinfo/", fd));
    FileLockWait wait;
    wait.wanted.pid = pid;
    wait.wanted.inode = file->inode;
    wait.wanted.waits = true;
    if (!ParseCall(thread, kernel, *file, fdinfo, &wait.wanted)) return std::nullopt;
    if (wait.wanted.family == FileLockFamily::kOfd) wait.wanted.pid = -1;
    if (!IsListed(wait.wanted)) return std::nullopt;
    char path[4096];
    const ssize_t length = readlink(link.c_str(), path, sizeof(path));
    if (length > 0) wait.path.assign(path, static_cast<size_t>(length));
    wait.identity = absl::StrCat(FamilyName(wait.wanted.family), " ", file->device >> 32, ":",
                                 file->device & 0xffffffffu, " ", file->inode);
    if (wait.wanted.first != 0 || wait.wanted.last != kEndOfFile) {
      absl::StrAppend(&wait.identity, " ", wait.wanted.first, "-");
      if (wait.wanted.last != kEndOfFile) absl::StrAppend(&wait.identity, wait.wanted.last);
    }
    FindConflicts(pid, fdinfo, *file, &wait);
    return wait;
  }

 private:
  // The kernel queues this very request.
  static bool IsListed(const FileLock& wanted) {
    for (absl::string_view line : absl::StrSplit(ReadWhole("/proc/locks"), '\n')) {
      const auto listed = ParseFileLock(line);
      if (listed.has_value() && *listed == wanted) return true;
    }
    return false;
  }

  static void FindConflicts(int pid, const std::string& fdinfo, const FileId& file,
                            FileLockWait* wait) {
    // What the waiter's own description holds does not stand in its way, nor do POSIX locks
    // of its own process.
    std::set<FileLock> own;
    for (const FileLock& lock : LocksIn(fdinfo)) {
      if (lock.family != FileLockFamily::kPosix) own.insert(lock);
    }
    std::map<FileLock, HeldFileLock> held;
    for (int other : ProcessList()) {
      const std::string root = absl::StrCat("/proc/", other);
      DIR* folder = opendir((root + "/fd").c_str());
      if (folder == nullptr) {
        if (errno != ENOENT && errno != ESRCH && !HasNone(other)) wait->complete = false;
        continue;
      }
      while (const dirent* entry = readdir(folder)) {
        if (entry->d_name[0] == '.') continue;
        const auto behind = FileBehind(dirfd(folder), entry->d_name);
        if (!behind.has_value()) {
          if (errno == EACCES || errno == EPERM) wait->complete = false;
          continue;
        }
        if (!behind->SameFile(file)) continue;
        for (const FileLock& lock :
             LocksIn(ReadWhole(absl::StrCat(root, "/fdinfo/", entry->d_name)))) {
          const bool posix_own = lock.family == FileLockFamily::kPosix && other == pid &&
                                 wait->wanted.family == FileLockFamily::kPosix;
          if (!posix_own && !own.contains(lock) && Conflict(lock, wait->wanted)) {
            HeldFileLock& found = held[lock];
            found.holders.insert(other);
            uint64_t number = 0;
            if (absl::SimpleAtoi(entry->d_name, &number)) {
              found.descriptors[other].insert(number);
            }
          }
        }
      }
      closedir(folder);
    }
    bool exact = !held.empty();
    for (auto& [lock, found] : held) {
      // A POSIX lock belongs to the process that the line names, and to no other.
      exact &= lock.family == FileLockFamily::kPosix && found.holders.contains(lock.pid);
      found.lock = lock;
      wait->conflicting.push_back(std::move(found));
    }
    wait->complete |= exact;
  }
};

}  // namespace

std::unique_ptr<FileLockView> MakeProcFileLockView() {
  return std::make_unique<ProcFileLockView>();
}

}  // namespace lockwarden
