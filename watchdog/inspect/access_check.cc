#include "watchdog/inspect/access_check.h"

#include <elf.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include <cerrno>
#include <fstream>
#include <sstream>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "watchdog/inspect/thread_list.h"
#include "watchdog/process_facts.h"
#include "watchdog/unique_fd.h"

namespace lockwarden {
namespace {

std::string ReadWhole(const std::string& path) {
  std::ifstream file(path);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

struct Credentials {
  std::vector<uint64_t> uids;
  uint64_t permitted = 0, effective = 0;
};

Credentials CredentialsOf(const std::string& status_path) {
  Credentials credentials;
  for (absl::string_view line : absl::StrSplit(ReadWhole(status_path), '\n')) {
    if (absl::ConsumePrefix(&line, "Uid:")) {
      for (absl::string_view word :
           absl::StrSplit(line, absl::ByAnyChar("\t "), absl::SkipEmpty())) {
        uint64_t uid = 0;
        if (absl::SimpleAtoi(word, &uid)) credentials.uids.push_back(uid);
      }
    } else if (absl::ConsumePrefix(&line, "CapPrm:\t")) {
      static_cast<void>(absl::SimpleHexAtoi(line, &credentials.permitted));
    } else if (absl::ConsumePrefix(&line, "CapEff:\t")) {
      static_cast<void>(absl::SimpleHexAtoi(line, &credentials.effective));
    }
  }
  return credentials;
}

std::string NamespaceOf(const std::string& process, const char* which) {
  char target[64];
  const std::string path = absl::StrCat("/proc/", process, "/ns/", which);
  const ssize_t size = readlink(path.c_str(), target, sizeof(target));
  return size > 0 ? std::string(target, static_cast<size_t>(size)) : "";
}

// The kernel asks for permission before it looks at the address.
bool MayRead(int thread) {
  char byte;
  iovec local = {&byte, 1};
  iovec remote = {reinterpret_cast<void*>(1), 1};
  return process_vm_readv(thread, &local, 1, &remote, 1, 0) >= 0 || errno == EFAULT;
}

Access WhyRefused(int pid) {
  const Credentials own = CredentialsOf("/proc/self/status");
  const Credentials theirs = CredentialsOf(absl::StrCat("/proc/", pid, "/status"));
  const bool capable = (own.effective >> CAP_SYS_PTRACE & 1) != 0;
  const std::string as_root = absl::StrCat("Run it as root: sudo lockwarden inspect ", pid, ".");
  if (capable) {
    const std::string space = NamespaceOf(std::to_string(pid), "user");
    if (!space.empty() && space != NamespaceOf("self", "user")) {
      return {Access::Kind::kPartial,
              "it lives in a user namespace in which this process has no CAP_SYS_PTRACE",
              "Run lockwarden outside that container, as the host's root."};
    }
    return {Access::Kind::kPartial,
            "a security module (AppArmor, SELinux), another user namespace or a system-call filter "
            "forbids it, though CAP_SYS_PTRACE is there",
            "Look into the kernel's log; a container may need --security-opt seccomp=unconfined."};
  }
  if (geteuid() == 0) {
    return {Access::Kind::kPartial,
            "this is root without the capability CAP_SYS_PTRACE, as in most containers",
            "Start the container with --cap-add=SYS_PTRACE (Kubernetes: "
            "securityContext.capabilities.add: [SYS_PTRACE]), or look from the host."};
  }
  for (const uint64_t uid : theirs.uids) {
    if (uid == geteuid()) continue;
    return {Access::Kind::kPartial,
            absl::StrCat("it runs as another user (uid ", uid,
                         "), and this process has no capability CAP_SYS_PTRACE"),
            as_root};
  }
  struct stat about;
  if (stat(absl::StrCat("/proc/", pid).c_str(), &about) == 0 && about.st_uid != geteuid()) {
    return {Access::Kind::kPartial,
            "it is not dumpable: it has changed its user or capabilities, its file may not be "
            "read, or it has asked for that (PR_SET_DUMPABLE)",
            as_root};
  }
  if ((theirs.permitted & ~own.permitted) != 0) {
    return {Access::Kind::kPartial, "it has capabilities that this process has not", as_root};
  }
  int scope = 0;
  if (absl::SimpleAtoi(ReadWhole("/proc/sys/kernel/yama/ptrace_scope"), &scope) && scope > 0) {
    const char* rule = scope == 1   ? "lets only a process's ancestors look into it"
                       : scope == 2 ? "asks for the capability CAP_SYS_PTRACE"
                                    : "lets nobody look, until the next boot";
    return {Access::Kind::kPartial,
            absl::StrCat("Yama (kernel.yama.ptrace_scope = ", scope, ") ", rule),
            scope == 3 ? "" : as_root};
  }
  return {Access::Kind::kPartial,
          "a security module or a container's system-call filter forbids it", as_root};
}

}  // namespace

Access CheckAccess(int pid) {
  const auto stat = ReadProcessStat(pid);
  if (!stat.has_value()) return {Access::Kind::kNone, "there is no such process", ""};
  const std::vector<ThreadId> threads = ThreadsOf(pid);
  if (ProcessOfThread(static_cast<uint32_t>(pid)) != pid) {
    return {Access::Kind::kNone, "it is a thread, not a process",
            "Give the id of its process: the line Tgid of its status in /proc."};
  }
  const int thread = ThreadWithMemory(pid, threads);
  const auto alive = ReadProcessStat(thread);
  if (!alive.has_value() || alive->state == 'Z' || alive->state == 'X') {
    return {Access::Kind::kNone,
            absl::StrCat("it has ended: a zombie, until its parent (pid ", stat->parent,
                         ") waits for it"),
            ""};
  }
  constexpr int kThreadDaemon = 2;  // every kernel thread's parent
  if (pid == kThreadDaemon || stat->parent == kThreadDaemon) {
    if (ReadWhole(absl::StrCat("/proc/", pid, "/cmdline")).empty()) {
      return {Access::Kind::kNone, "it is a thread of the kernel's", ""};
    }
  }
  if (!MayRead(thread)) return WhyRefused(pid);
  const UniqueFd exe(open(absl::StrCat("/proc/", thread, "/exe").c_str(), O_RDONLY | O_CLOEXEC));
  unsigned char ident[EI_NIDENT] = {};
  if (exe.valid() && pread(exe.get(), ident, sizeof(ident), 0) == sizeof(ident) &&
      ident[EI_CLASS] == ELFCLASS32) {
    return {Access::Kind::kNone,
            "it is a 32-bit program, whose locks and system calls this 64-bit lockwarden does not "
            "know",
            "A debugger shows its stacks: gdb -p PID -batch -ex 'thread apply all bt'."};
  }
  return {};
}

}  // namespace lockwarden
