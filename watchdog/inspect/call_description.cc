#include "watchdog/inspect/call_description.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <sstream>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "watchdog/process_list.h"
#include "watchdog/stall_cause.h"

namespace lockwarden {
namespace {

std::string ReadWhole(const std::string& path) {
  std::ifstream file(path);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

std::string LinkOf(const std::string& path) {
  char target[4096];
  const ssize_t size = readlink(path.c_str(), target, sizeof(target));
  return size > 0 ? std::string(target, static_cast<size_t>(size)) : "";
}

std::string LinkOf(int pid, uint64_t fd) { return LinkOf(absl::StrCat("/proc/", pid, "/fd/", fd)); }

std::string NameOf(int pid) {
  const std::string name = ReadWhole(absl::StrCat("/proc/", pid, "/comm"));
  return absl::StrCat("pid ", pid, " (", absl::StripAsciiWhitespace(name), ")");
}

// Calls whose first argument is a descriptor.
enum class Way { kReads, kWrites, kOther };
struct OnDescriptor {
  int64_t number;
  Way way;
};
constexpr OnDescriptor kOnDescriptor[] = {
    {SYS_read, Way::kReads},        {SYS_readv, Way::kReads},        {SYS_pread64, Way::kReads},
    {SYS_recvfrom, Way::kReads},    {SYS_recvmsg, Way::kReads},      {SYS_recvmmsg, Way::kReads},
    {SYS_write, Way::kWrites},      {SYS_writev, Way::kWrites},      {SYS_pwrite64, Way::kWrites},
    {SYS_sendto, Way::kWrites},     {SYS_sendmsg, Way::kWrites},     {SYS_sendmmsg, Way::kWrites},
    {SYS_accept, Way::kOther},      {SYS_accept4, Way::kOther},      {SYS_connect, Way::kOther},
    {SYS_flock, Way::kOther},       {SYS_fcntl, Way::kOther},        {SYS_ioctl, Way::kOther},
    {SYS_fsync, Way::kOther},       {SYS_fdatasync, Way::kOther},    {SYS_getdents64, Way::kOther},
    {SYS_epoll_pwait, Way::kOther}, {SYS_epoll_pwait2, Way::kOther},
#ifdef SYS_epoll_wait
    {SYS_epoll_wait, Way::kOther},
#endif
};

// Processes with the other end of a pipe open; the own one counts too.
std::string OtherEnd(const std::string& link, Way way) {
  std::vector<std::string> ends;
  constexpr size_t kTold = 4;
  size_t unreadable = 0, more = 0;
  for (const int other : ProcessList()) {
    const std::string root = absl::StrCat("/proc/", other);
    DIR* folder = opendir((root + "/fd").c_str());
    if (folder == nullptr) {
      unreadable += errno == EACCES || errno == EPERM;
      continue;
    }
    bool has = false;
    while (const dirent* entry = readdir(folder)) {
      if (has || LinkOf(absl::StrCat(root, "/fd/", entry->d_name)) != link) continue;
      const std::string info = ReadWhole(absl::StrCat(root, "/fdinfo/", entry->d_name));
      const size_t flags_at = info.find("flags:");
      if (flags_at == std::string::npos) continue;
      const long flags = strtol(info.c_str() + flags_at + 6, nullptr, 8);
      const int mode = static_cast<int>(flags) & O_ACCMODE;
      has = mode == O_RDWR || mode == (way == Way::kReads ? O_WRONLY : O_RDONLY);
    }
    closedir(folder);
    if (!has) continue;
    ends.size() < kTold ? ends.push_back(NameOf(other)) : static_cast<void>(++more);
  }
  const char* end = way == Way::kReads ? "writing" : "reading";
  if (ends.empty()) {
    return absl::StrCat(", whose ", end, " end ",
                        unreadable == 0 ? "nobody" : "no process that may be looked at", " has");
  }
  return absl::StrCat(", whose ", end, " end ", absl::StrJoin(ends, " and "),
                      more == 0 ? "" : absl::StrCat(" and ", more, " more"),
                      ends.size() == 1 ? " has" : " have");
}

// An address of /proc/PID/net/tcp: hexadecimal words in the machine's order, ":", port.
std::string NetAddress(absl::string_view text) {
  const std::pair<absl::string_view, absl::string_view> parts = absl::StrSplit(text, ':');
  uint64_t port = 0, address = 0;
  if (!absl::SimpleHexAtoi(parts.second, &port)) return std::string(text);
  if (parts.first.size() == 8 && absl::SimpleHexAtoi(parts.first, &address)) {
    return absl::StrFormat("%d.%d.%d.%d:%d", address & 255, address >> 8 & 255, address >> 16 & 255,
                           address >> 24 & 255, port);
  }
  return absl::StrCat("[", parts.first, "]:", port);
}

// "socket:[123]" with what the kernel's tables say of it.
std::string Socket(int pid, const std::string& link) {
  const std::string inode = link.substr(8, link.size() - 9);
  for (const char* table : {"tcp", "tcp6", "udp", "udp6"}) {
    for (absl::string_view line :
         absl::StrSplit(ReadWhole(absl::StrCat("/proc/", pid, "/net/", table)), '\n')) {
      const std::vector<absl::string_view> words = absl::StrSplit(line, ' ', absl::SkipEmpty());
      if (words.size() < 10 || words[9] != inode) continue;
      const bool listens = words[3] == "0A";
      return absl::StrCat(table, " socket ", NetAddress(words[1]),
                          listens ? " (listening)" : absl::StrCat(" to ", NetAddress(words[2])));
    }
  }
  for (absl::string_view line :
       absl::StrSplit(ReadWhole(absl::StrCat("/proc/", pid, "/net/unix")), '\n')) {
    const std::vector<absl::string_view> words = absl::StrSplit(line, ' ', absl::SkipEmpty());
    if (words.size() < 7 || words[6] != inode) continue;
    return absl::StrCat("unix socket ", words.size() > 7 ? words[7] : inode);
  }
  return link;
}

std::string EventPoll(int pid, uint64_t fd) {
  std::vector<std::string> watched;
  size_t more = 0;
  constexpr size_t kTold = 4;
  for (absl::string_view line :
       absl::StrSplit(ReadWhole(absl::StrCat("/proc/", pid, "/fdinfo/", fd)), '\n')) {
    if (!absl::ConsumePrefix(&line, "tfd:")) continue;
    line = absl::StripLeadingAsciiWhitespace(line);
    uint64_t target = 0;
    if (!absl::SimpleAtoi(line.substr(0, line.find(' ')), &target)) continue;
    if (watched.size() == kTold) {
      ++more;
      continue;
    }
    const std::string link = LinkOf(pid, target);
    watched.push_back(absl::StartsWith(link, "socket:[") ? Socket(pid, link) : link);
  }
  if (watched.empty()) return "for events; it watches nothing";
  return absl::StrCat("for events on ", absl::StrJoin(watched, ", "),
                      more == 0 ? "" : absl::StrCat(" and ", more, " more"));
}

std::string OnFile(int pid, const KernelThread& thread, Way way) {
  const std::string call = SystemCallName(*thread.syscall);
  const uint64_t fd = thread.syscall_args[0] & 0xffffffff;
  const std::string link = LinkOf(pid, fd);
  if (link.empty()) return absl::StrCat("is in ", call, " on descriptor ", fd);
  if (absl::StartsWith(call, "epoll")) return absl::StrCat("waits ", EventPoll(pid, fd));
  std::string object = link;
  if (absl::StartsWith(link, "socket:[")) object = Socket(pid, link);
  if (way == Way::kOther) return absl::StrCat("is in ", call, " on ", object);
  return absl::StrCat(way == Way::kReads ? "reads from " : "writes to ", object, " (", call, ")",
                      absl::StartsWith(link, "pipe:[") ? OtherEnd(link, way) : "");
}

std::string Child(int64_t wanted) {
  if (wanted > 0) return absl::StrCat("waits for child ", NameOf(static_cast<int>(wanted)));
  return "waits for a child process to end";
}

bool IsAny(int64_t number, std::initializer_list<int64_t> numbers) {
  return std::find(numbers.begin(), numbers.end(), number) != numbers.end();
}

std::string Sleep(const KernelThread& thread, KernelView* kernel) {
  const bool clock = *thread.syscall == SYS_clock_nanosleep;
  timespec asked = {};
  const bool relative = !clock || (thread.syscall_args[1] & TIMER_ABSTIME) == 0;
  if (relative && kernel->ReadMemory(thread.syscall_args[clock ? 2 : 0], &asked, sizeof(asked))) {
    return absl::StrFormat("sleeps for %.3g s", static_cast<double>(asked.tv_sec) +
                                                    static_cast<double>(asked.tv_nsec) / 1e9);
  }
  return "sleeps for some time";
}

}  // namespace

std::string DescribeCall(int pid, const KernelThread& thread, KernelView* kernel) {
  const int64_t number = *thread.syscall;
  for (const OnDescriptor& call : kOnDescriptor) {
    if (call.number == number) return OnFile(pid, thread, call.way);
  }
  if (number == SYS_wait4) return Child(static_cast<int32_t>(thread.syscall_args[0]));
  if (number == SYS_waitid) {
    constexpr uint64_t kByPid = 1;  // P_PID
    return Child(thread.syscall_args[0] == kByPid ? static_cast<int32_t>(thread.syscall_args[1])
                                                  : -1);
  }
  if (IsAny(number, {SYS_nanosleep, SYS_clock_nanosleep})) return Sleep(thread, kernel);
  if (IsAny(number, {SYS_rt_sigtimedwait, SYS_rt_sigsuspend})) return "waits for a signal";
#ifdef SYS_pause
  if (number == SYS_pause) return "waits for a signal (pause)";
#endif
  const std::string name = SystemCallName(number);
  if (absl::StrContains(name, "poll") || absl::StrContains(name, "select")) {
    return absl::StrCat("waits for descriptors (", name, ")");
  }
  return absl::StrCat("is in ", name);
}

std::string DescribeCallAlone(const KernelThread& thread) {
  const std::string name = SystemCallName(*thread.syscall);
  for (const OnDescriptor& call : kOnDescriptor) {
    if (call.number != *thread.syscall) continue;
    return absl::StrCat("is in ", name, " on descriptor ", thread.syscall_args[0] & 0xffffffff);
  }
  return absl::StrCat("is in ", name);
}

}  // namespace lockwarden
