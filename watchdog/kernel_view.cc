// KernelView on /proc: what the kernel says of a process's threads, from outside.
//
// Read only; no ptrace, no signal. A tid is the one that the process itself sees: in
// another pid namespace it is found through NSpid (its last number), by a map that is
// built when first needed and again when a tid is missing from it.
//
// Not thread-safe. Must never: block on the program, or guess what it could not read.
#include <fcntl.h>
#include <dirent.h>
#include <linux/kcmp.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"
#include "watchdog/judge.h"
#include "watchdog/memory_map.h"

namespace lockwarden {
namespace {

// Empty when it cannot be read; *gone says that there is no such thread.
std::string ReadSmallFile(const std::string& path, bool* gone) {
  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) {
    *gone = errno == ENOENT || errno == ESRCH;
    return "";
  }
  std::string text;
  char buffer[4096];
  ssize_t n;
  while ((n = read(fd, buffer, sizeof(buffer))) > 0) text.append(buffer, static_cast<size_t>(n));
  *gone = n < 0 && errno == ESRCH;
  close(fd);
  return text;
}

// The text behind "Key:\t" of a status file; empty when there is no such line.
absl::string_view StatusValue(absl::string_view status, absl::string_view key) {
  for (absl::string_view line : absl::StrSplit(status, '\n')) {
    if (absl::ConsumePrefix(&line, key) && absl::ConsumePrefix(&line, ":")) {
      return absl::StripAsciiWhitespace(line);
    }
  }
  return "";
}

std::optional<uint64_t> ContextSwitches(absl::string_view status) {
  uint64_t voluntary = 0, forced = 0;
  if (!absl::SimpleAtoi(StatusValue(status, "voluntary_ctxt_switches"), &voluntary) ||
      !absl::SimpleAtoi(StatusValue(status, "nonvoluntary_ctxt_switches"), &forced)) {
    return std::nullopt;
  }
  return voluntary + forced;
}

// "202 0xarg0 ... 0xarg5 0xsp 0xpc", "-1 0xsp 0xpc" or "running".
void ParseSyscall(absl::string_view text, KernelThread* thread) {
  text = absl::StripAsciiWhitespace(text);
  if (text == "running") {
    thread->syscall = -1;
    return;
  }
  const std::vector<absl::string_view> words = absl::StrSplit(text, ' ');
  int64_t number = 0;
  if (!absl::SimpleAtoi(words[0], &number)) return;
  const auto hex = [&](size_t i) {
    uint64_t value = 0;
    return i < words.size() && absl::SimpleHexAtoi(words[i], &value) ? value : 0;
  };
  if (number < 0 && words.size() == 3) {
    thread->syscall = -1;
    thread->stack_pointer = hex(1);
    thread->pc = hex(2);
  } else if (words.size() == 9) {
    thread->syscall = number;
    for (size_t i = 0; i < 6; ++i) thread->syscall_args[i] = hex(i + 1);
    thread->stack_pointer = hex(7);
    thread->pc = hex(8);
  }
}

class ProcKernelView : public KernelView {
 public:
  explicit ProcKernelView(int pid) : pid_(pid), root_(absl::StrCat("/proc/", pid)) {}

  KernelThread Thread(uint32_t tid) override {
    KernelThread thread;
    const uint32_t ours = OurTid(tid);
    if (ours == 0) return thread;
    const std::string folder = absl::StrCat(root_, "/task/", ours, "/");
    bool gone = false;
    // The system call first: it is read while the thread is known to be blocked in it,
    // so a state that is not S afterwards contradicts it.
    ParseSyscall(ReadSmallFile(folder + "syscall", &gone), &thread);
    const std::string status = ReadSmallFile(folder + "status", &gone);
    if (gone) return KernelThread();
    thread.exists = true;
    const absl::string_view state = StatusValue(status, "State");
    if (!state.empty()) thread.state = state[0];
    thread.context_switches = ContextSwitches(status);
    thread.comm = std::string(StatusValue(status, "Name"));
    return thread;
  }

  std::optional<std::vector<uint32_t>> Tids() override {
    const std::optional<std::vector<uint32_t>> ours = OurTids();
    if (!ours.has_value() || !InOtherNamespace()) return ours;
    BuildMap(*ours);
    std::vector<uint32_t> theirs;
    for (uint32_t tid : *ours) {
      const auto found = from_ours_.find(tid);
      theirs.push_back(found == from_ours_.end() ? 0 : found->second);
    }
    return theirs;
  }

  std::optional<ThreadSchedule> Schedule(uint32_t tid) override {
    bool gone = false;
    const std::string text = ReadSmallFile(absl::StrCat(root_, "/task/", OurTid(tid), "/schedstat"),
                                           &gone);
    const std::vector<absl::string_view> words =
        absl::StrSplit(absl::StripAsciiWhitespace(text), ' ');
    ThreadSchedule schedule;
    if (words.size() < 2 || !absl::SimpleAtoi(words[0], &schedule.run_ns) ||
        !absl::SimpleAtoi(words[1], &schedule.delay_ns)) {
      return std::nullopt;
    }
    return schedule;
  }

  std::optional<uint64_t> ThrottledUs() override {
    bool gone = false;
    const std::string groups = ReadSmallFile(root_ + "/cgroup", &gone);
    for (absl::string_view line : absl::StrSplit(groups, '\n')) {
      if (!absl::ConsumePrefix(&line, "0::")) continue;
      const std::string stat =
          ReadSmallFile(absl::StrCat("/sys/fs/cgroup", line, "/cpu.stat"), &gone);
      for (absl::string_view entry : absl::StrSplit(stat, '\n')) {
        uint64_t throttled = 0;
        if (absl::ConsumePrefix(&entry, "throttled_usec ") && absl::SimpleAtoi(entry, &throttled)) {
          return throttled;
        }
      }
    }
    return std::nullopt;
  }

  bool SharesPidNamespace() override {
    return !InOtherNamespace() && other_namespace_.has_value();
  }

  std::string WaitChannel(uint32_t tid) override {
    bool gone = false;
    const std::string text =
        ReadSmallFile(absl::StrCat(root_, "/task/", OurTid(tid), "/wchan"), &gone);
    return text == "0" ? "" : text;
  }

  std::optional<uint64_t> CaughtSignals() override {
    bool gone = false;
    const std::string status = ReadSmallFile(root_ + "/status", &gone);
    uint64_t mask = 0;
    if (!absl::SimpleHexAtoi(StatusValue(status, "SigCgt"), &mask)) return std::nullopt;
    return mask;
  }

  // "ID: 0", "signal: 10/0000000000000000", "notify: signal/pid.4242", "ClockID: 1", each timer.
  std::optional<uint64_t> TimerSignals() override {
    const int fd = open((root_ + "/timers").c_str(), O_RDONLY | O_CLOEXEC);
    if (fd < 0) return std::nullopt;  // a kernel without CONFIG_CHECKPOINT_RESTORE
    close(fd);
    bool gone = false;
    const std::string timers = ReadSmallFile(root_ + "/timers", &gone);
    uint64_t mask = 0;
    for (absl::string_view line : absl::StrSplit(timers, '\n')) {
      if (!absl::ConsumePrefix(&line, "signal: ")) continue;
      int number = 0;
      const absl::string_view digits = line.substr(0, line.find('/'));
      if (!absl::SimpleAtoi(digits, &number) || number < 0 || number > 64) return std::nullopt;
      if (number != 0) mask |= uint64_t{1} << (number - 1);  // 0: it only counts
    }
    return mask;
  }

  bool MemoryIsShared() override {
    DIR* folder = opendir("/proc");
    if (folder == nullptr) return false;
    const int own = TaskWithMemory();
    bool shared = false;
    while (const dirent* entry = readdir(folder)) {
      int pid = 0;
      if (!absl::SimpleAtoi(entry->d_name, &pid) || pid == pid_) continue;
      // 0: the same. What may not be compared is some other user's, and none of ours.
      if (syscall(SYS_kcmp, own, pid, KCMP_VM, 0, 0) == 0) shared = true;
    }
    closedir(folder);
    return shared;
  }

  bool IsPrivate(uint64_t address) override {
    const std::vector<MemoryMapping> map = ReadMemoryMap(pid_);
    const MemoryMapping* mapping = FindMapping(map, address);
    return mapping != nullptr && !mapping->shared;
  }

  std::vector<SharedMapping> SharedMappings() override { return ReadSharedMappings(pid_); }

  bool NobodyHas(uint32_t tid) override {
    // In another namespace its number means somebody else here.
    return !InOtherNamespace() && other_namespace_.has_value() &&
           access(absl::StrCat("/proc/", tid).c_str(), F_OK) != 0 && errno == ENOENT;
  }

  bool ReadMemory(uint64_t address, void* out, size_t size) override {
    iovec local{out, size};
    iovec remote{reinterpret_cast<void*>(address), size};
    if (process_vm_readv(pid_, &local, 1, &remote, 1, 0) == static_cast<ssize_t>(size)) return true;
    const int task = TaskWithMemory();
    if (task != pid_ &&
        process_vm_readv(task, &local, 1, &remote, 1, 0) == static_cast<ssize_t>(size)) {
      return true;
    }
    // Refused where a seccomp filter or an old kernel stands in the way.
    const int fd =
        open(absl::StrCat(root_, "/task/", task, "/mem").c_str(), O_RDONLY | O_CLOEXEC);
    if (fd < 0) return false;
    const ssize_t n = pread(fd, out, size, static_cast<off_t>(address));
    close(fd);
    return n == static_cast<ssize_t>(size);
  }

 private:
  // A main thread that has called pthread_exit is a zombie without memory; the process's is
  // reached through any other thread.
  int TaskWithMemory() {
    bool gone = false;
    const auto is_zombie = [&](const std::string& path) {
      return absl::StartsWith(StatusValue(ReadSmallFile(path + "/status", &gone), "State"), "Z");
    };
    if (!is_zombie(root_)) return pid_;
    int found = pid_;
    DIR* folder = opendir((root_ + "/task").c_str());
    if (folder == nullptr) return found;
    while (const dirent* entry = readdir(folder)) {
      int tid = 0;
      if (found != pid_ || !absl::SimpleAtoi(entry->d_name, &tid) || tid == pid_) continue;
      if (!is_zombie(absl::StrCat(root_, "/task/", tid))) found = tid;
    }
    closedir(folder);
    return found;
  }

  bool InOtherNamespace() {
    if (!other_namespace_.has_value()) {
      bool gone = false;
      const std::string status = ReadSmallFile(root_ + "/status", &gone);
      if (status.empty()) return false;
      const std::vector<absl::string_view> pids =
          absl::StrSplit(StatusValue(status, "NSpid"), absl::ByAnyChar("\t "), absl::SkipEmpty());
      other_namespace_ = pids.size() > 1;
    }
    return *other_namespace_;
  }

  std::optional<std::vector<uint32_t>> OurTids() {
    DIR* folder = opendir((root_ + "/task").c_str());
    if (folder == nullptr) return std::nullopt;
    std::vector<uint32_t> tids;
    while (const dirent* entry = readdir(folder)) {
      uint32_t tid = 0;
      if (absl::SimpleAtoi(entry->d_name, &tid)) tids.push_back(tid);
    }
    closedir(folder);
    return tids;
  }

  void BuildMap(const std::vector<uint32_t>& ours) {
    to_ours_.clear();
    from_ours_.clear();
    for (uint32_t tid : ours) {
      bool gone = false;
      const std::string status =
          ReadSmallFile(absl::StrCat(root_, "/task/", tid, "/status"), &gone);
      const std::vector<absl::string_view> pids =
          absl::StrSplit(StatusValue(status, "NSpid"), absl::ByAnyChar("\t "), absl::SkipEmpty());
      uint32_t theirs = 0;
      if (pids.empty() || !absl::SimpleAtoi(pids.back(), &theirs)) continue;
      to_ours_[theirs] = tid;
      from_ours_[tid] = theirs;
    }
  }

  uint32_t OurTid(uint32_t theirs) {
    if (!InOtherNamespace()) return theirs;
    auto found = to_ours_.find(theirs);
    if (found == to_ours_.end()) {
      if (const auto ours = OurTids(); ours.has_value()) BuildMap(*ours);
      found = to_ours_.find(theirs);
    }
    return found == to_ours_.end() ? 0 : found->second;
  }

  const int pid_;
  const std::string root_;
  std::optional<bool> other_namespace_;
  absl::flat_hash_map<uint32_t, uint32_t> to_ours_, from_ours_;
};

}  // namespace

std::unique_ptr<KernelView> MakeProcKernelView(int pid) {
  return std::make_unique<ProcKernelView>(pid);
}

}  // namespace lockwarden
