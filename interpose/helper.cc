// Starts the helper as vfork would, twice, so that it is no child of the program's:
//
//   program   blocks signals, waits for A
//   A         shares the program's memory, has descriptors of its own: gives the ledger a new
//             memfd (MoveSegment; none is open any more), finds or starts a helper, ends
//   B         the same, and becomes the helper by exec
//
// A has no exit signal and is reaped at once; B then belongs to init. So whatever fails, or is
// forbidden by a filter, fails in a process of ours.
#include "interpose/helper.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <sched.h>
#include <signal.h>
#include <sys/auxv.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <iterator>

#include "runtime/gate.h"
#include "runtime/helper_call.h"
#include "runtime/notice.h"
#include "runtime/process.h"
#include "runtime/raw_syscall.h"
#include "runtime/sandbox.h"
#include "runtime/settings.h"
#include "runtime/text_lines.h"

namespace lockwarden::interpose {
namespace {

using ledger::AsLong;
using ledger::RawSyscall;

bool Failed(long result) { return result < 0 && result > -4096; }

// A text of bounded length; one that did not fit is empty, and stays so.
template <size_t kSize>
class Text {
 public:
  Text& Add(const char* text, size_t length) {
    if (overflown_ || length >= kSize - length_) {
      overflown_ = true;
      length_ = 0;
    } else {
      std::memcpy(text_ + length_, text, length);
      length_ += length;
    }
    text_[length_] = '\0';
    return *this;
  }
  Text& Add(const char* text) { return Add(text, std::strlen(text)); }
  Text& AddHex(uint64_t number) {
    char digits[16];
    for (int i = 15; i >= 0; --i, number >>= 4) digits[i] = "0123456789abcdef"[number & 15];
    return Add(digits, sizeof(digits));
  }
  const char* get() const { return text_; }
  bool empty() const { return length_ == 0; }

 private:
  char text_[kSize] = {};
  size_t length_ = 0;
  bool overflown_ = false;
};

constexpr size_t kPath = 4096;
constexpr size_t kMostVariables = 512;
// In the order in which they are tried: bin beside lib, lib/lockwarden, lib/TRIPLET/lockwarden.
constexpr const char* kPlaces[] = {"/../bin/lockwarden", "/../../bin/lockwarden",
                                   "/../../../bin/lockwarden"};

struct FileId {
  uint64_t device = 0, inode = 0;
  bool operator==(const FileId&) const = default;
};
FileId Root() {
  struct stat status{};
  if (Failed(RawSyscall(SYS_newfstatat, AT_FDCWD, AsLong("/"), AsLong(&status), 0))) return {};
  return {status.st_dev, status.st_ino};
}

// As the program was started. Its own memory may say otherwise when the helper is wanted.
// Touched only where a helper may be wanted.
struct AtLoad {
  FileId root;
  Text<kPath> directory;  // current
  Text<kPath> options;    // LOCKWARDEN_OPTIONS=...
  Text<kPath> helper;     // LOCKWARDEN_HELPER, or empty
  Text<kPath> places[std::size(kPlaces)];
  Text<sizeof(ledger::Settings::token)> token;  // the session's: of this image and its forks
  Text<sizeof(ledger::Settings::socket_path)> name;
};
constinit AtLoad at_load;
constinit bool wanted = false;
// Set once, by whoever calls prctl; forked children inherit them through memory.
constinit std::atomic<bool> adopts_orphans{false}, has_ptracer{false};
constinit std::atomic<int> considered{0};  // pid of the process that has considered it

// Where the library lies, with the slash left out.
void FindPlaces() {
  Dl_info found;
  if (dladdr(reinterpret_cast<const void*>(&FindPlaces), &found) == 0) return;
  const char* slash = std::strrchr(found.dli_fname, '/');
  if (slash == nullptr) return;
  for (size_t i = 0; i < std::size(kPlaces); ++i) {
    if (found.dli_fname[0] != '/') at_load.places[i].Add(at_load.directory.get()).Add("/");
    at_load.places[i].Add(found.dli_fname, static_cast<size_t>(slash - found.dli_fname));
    at_load.places[i].Add(kPlaces[i]);
  }
}

// Left to the helper: nobody reads it, so nobody is told of what fails. In the program's memory.
struct Start {
  const ledger::Ledger ledger;
  sockaddr_un address{};  // the session's, in the abstract namespace
  socklen_t address_size = 0;
  const char* arguments[3] = {"lockwarden", ledger::kHelperCommand, nullptr};
  const char* variables[kMostVariables + 3] = {};
  bool standard_error = false;
  int ledger_fd = -1, program_fd = -1, listener = -1;  // A's
  long helper = 0;                                     // B's pid, if it was started
  bool failed = false;                                 // B could not become it
  bool relative = false;                               // there is a helper: a forked relative's
};

// All but what the helper is told anew, and what would load us, or others, into it.
void CollectVariables(Start* start) {
  size_t count = 0;
  start->variables[count++] = at_load.options.get();
  for (char** entry = environ; entry != nullptr && *entry != nullptr; ++entry) {
    const auto begins = [entry](const char* prefix) {
      return std::strncmp(*entry, prefix, std::strlen(prefix)) == 0;
    };
    if (begins("LD_") || begins("LOCKWARDEN_") || begins("GLIBC_TUNABLES=") || begins("MALLOC_") ||
        count > kMostVariables) {
      continue;
    }
    start->variables[count++] = *entry;
  }
  static constinit Text<160> socket;
  socket = {};
  socket.Add(ledger::kSocketVariable).Add("=").Add(at_load.token.get()).Add(":");
  start->variables[count] = socket.Add(at_load.name.get()).get();
}

// In B, which has dispositions of its own: a signal that has waited must not call the program's
// handler in the program's memory. What is ignored stays so, as over an exec.
void ForgetHandlers() {
  struct KernelAction {
    uint64_t handler, flags, restorer, mask;
  };
  constexpr int kSignals = 64;
  for (int number = 1; number <= kSignals; ++number) {
    KernelAction action{};
    const long asked =
        RawSyscall(SYS_rt_sigaction, number, 0, AsLong(&action), sizeof(action.mask));
    if (Failed(asked) || action.handler == reinterpret_cast<uint64_t>(SIG_IGN)) continue;
    action = {};
    RawSyscall(SYS_rt_sigaction, number, AsLong(&action), 0, sizeof(action.mask));
  }
}

// In B: what stands open afterwards is in helper_call.h. It never returns.
[[noreturn]] __attribute__((noinline)) void BecomeHelper(Start* start) {
  start->failed = true;  // until the exec: whatever may end it
  const auto end = [] {
    for (;;) RawSyscall(SYS_exit_group, 127);
  };
  // First out of the way of the numbers that they shall have.
  const auto above = [](int fd) {
    return RawSyscall(SYS_fcntl, fd, F_DUPFD_CLOEXEC, ledger::kHelperDescriptors);
  };
  const long ledger_fd = above(start->ledger_fd), program_fd = above(start->program_fd);
  const long listener = above(start->listener);
  const long error = start->standard_error ? above(STDERR_FILENO) : -1;
  const long null = RawSyscall(SYS_openat, AT_FDCWD, AsLong("/dev/null"), O_RDWR | O_CLOEXEC);
  const auto place = [&](long fd, int number) {
    if (fd == number) return !Failed(RawSyscall(SYS_fcntl, fd, F_SETFD, 0));
    return !Failed(fd) && !Failed(RawSyscall(SYS_dup3, fd, number, 0));
  };
  const long apart = Failed(null) ? null : above(static_cast<int>(null));
  if (!place(apart, STDIN_FILENO) || !place(apart, STDOUT_FILENO) ||
      !place(Failed(error) ? apart : error, STDERR_FILENO) ||
      !place(ledger_fd, ledger::kHelperLedger) || !place(program_fd, ledger::kHelperProgram) ||
      !place(listener, ledger::kHelperListener) ||
      // Nothing of the program's, or who reads from its pipes would wait for the helper.
      Failed(RawSyscall(SYS_close_range, ledger::kHelperDescriptors, ~0u, 0))) {
    end();
  }
  RawSyscall(SYS_setsid);  // Ctrl-C is for the program
  RawSyscall(SYS_chdir, AsLong(at_load.directory.get()));
  ForgetHandlers();
  const uint64_t none = 0;
  RawSyscall(SYS_rt_sigprocmask, SIG_SETMASK, AsLong(&none), 0, sizeof(none));
  const auto execute = [start](const char* path) {
    start->failed = false;
    RawSyscall(SYS_execve, AsLong(path), AsLong(&start->arguments[0]),
               AsLong(&start->variables[0]));
    start->failed = true;
  };
  if (!at_load.helper.empty()) execute(at_load.helper.get());
  for (const auto& place_of_it : at_load.places) {
    if (at_load.helper.empty() && !place_of_it.empty()) execute(place_of_it.get());
  }
  end();
  __builtin_unreachable();
}

// Children on this very stack and memory, as in sandbox.cc: they go deeper, and never return.
__attribute__((noinline)) long StartB(Start* start) {
  const long pid = RawSyscall(SYS_clone, CLONE_VM | CLONE_VFORK, 0, 0, 0, 0);
  if (pid == 0) BecomeHelper(start);
  return pid;
}

bool Listen(Start* start) {
  const long fd = RawSyscall(SYS_socket, AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (Failed(fd)) return false;
  start->listener = static_cast<int>(fd);
  const long bound =
      RawSyscall(SYS_bind, fd, AsLong(&start->address), static_cast<long>(start->address_size));
  start->relative = bound == -EADDRINUSE;
  constexpr long kBacklog = 4096;
  return !Failed(bound) && !Failed(RawSyscall(SYS_listen, fd, kBacklog));
}

void FindOrStartHelper(Start* start) {
  rlimit core{};
  RawSyscall(SYS_prlimit64, 0, RLIMIT_CORE, 0, AsLong(&core));
  core.rlim_cur = 0;  // no core file of the program's memory, if a filter kills us
  RawSyscall(SYS_prlimit64, 0, RLIMIT_CORE, AsLong(&core), 0);
  if (!Listen(start)) return;
  start->program_fd = static_cast<int>(
      RawSyscall(SYS_pidfd_open, static_cast<long>(start->ledger.header().pid), 0));
  start->ledger_fd = static_cast<int>(ledger::MoveSegment(start->ledger));
  if (start->program_fd >= 0 && start->ledger_fd >= 0) start->helper = StartB(start);
}

// By the program itself: the socket tells the helper who has connected. Its descriptors are open
// for this moment alone.
bool HandOverToRelatives(const ledger::Ledger& ledger) {
  constexpr int kMostTries = 100;
  for (int i = 0; i < kMostTries; ++i) {
    const long fd = ledger::MoveSegment(ledger);
    if (Failed(fd)) return false;
    if (ledger::HandOver(ledger, static_cast<int>(fd))) return true;
    const timespec moment{0, 1'000'000};  // it has the name, but may not listen yet
    RawSyscall(SYS_nanosleep, AsLong(&moment), 0);
  }
  return false;
}

[[noreturn]] __attribute__((noinline)) void RunA(Start* start) {
  FindOrStartHelper(start);
  for (;;) RawSyscall(SYS_exit_group, 0);
}

__attribute__((noinline)) long StartA(Start* start) {
  const long pid = RawSyscall(SYS_clone, CLONE_VM | CLONE_VFORK, 0, 0, 0, 0);
  if (pid == 0) RunA(start);
  return pid;
}

// What only a process with one thread may do, and with no memory that is locked as it is mapped:
// the ledger is moved. An orphan of pid 1 or of a subreaper becomes its child, or that of the one it
// was forked from, which a wait there would see. Under another root other files have our names.
bool MayStart() {
  bool one_thread = false;
  // What is locked from now on only (MCL_FUTURE) shows in the first mapping.
  const long page = RawSyscall(SYS_mmap, 0, ledger::kPageSize, PROT_READ | PROT_WRITE,
                               MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  bool locked = Failed(page);
  ledger::ForEachLine("/proc/self/status", [&](const char* line) {
    if (std::strncmp(line, "Threads:\t", 9) == 0) one_thread = std::strcmp(line + 9, "1") == 0;
    if (std::strncmp(line, "VmLck:", 6) == 0) {
      locked = std::strpbrk(line, "123456789") != nullptr;
    }
  });
  if (!Failed(page)) RawSyscall(SYS_munmap, page, ledger::kPageSize);
  return one_thread && !locked && !adopts_orphans.load(std::memory_order_relaxed) &&  // own process
         Root() == at_load.root;
}

void StartHelper(const ledger::Ledger& ledger) {
  ledger::Settings& settings = ledger::the_settings;
  Start start{.ledger = ledger};
  start.standard_error = ledger::StandardErrorIsOurs();
  start.address.sun_family = AF_UNIX;
  const size_t length = std::strlen(at_load.name.get());
  std::memcpy(start.address.sun_path + 1, at_load.name.get(), length);
  start.address_size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + 1 + length);
  CollectVariables(&start);
  // From now on forked children hand their ledgers over there.
  std::memcpy(settings.socket_path, at_load.name.get(), length + 1);
  std::memcpy(settings.token, at_load.token.get(), sizeof(settings.token));
  const long a = StartA(&start);
  if (!Failed(a)) RawSyscall(SYS_wait4, a, 0, __WALL, 0);
  const bool handed_over =
      start.relative ? HandOverToRelatives(ledger) : start.helper > 0 && !start.failed;
  if (!handed_over) settings.token[0] = '\0';
  // Where Yama lets only ancestors look (elsewhere this is refused, and does nothing).
  if (start.helper > 0 && !has_ptracer.load(std::memory_order_relaxed)) {  // own process
    RawSyscall(SYS_prctl, PR_SET_PTRACER, start.helper);
  }
}

}  // namespace

void PrepareHelper() {
  const ledger::Settings& settings = ledger::TheSettings();
  if (!settings.helper || ledger::HandedOver() || ledger::Sandboxed() ||
      getauxval(AT_SECURE) != 0 ||
      ledger::TheGate()->epoch.load(std::memory_order_acquire) == 0) {  // G2
    return;
  }
  int reaper = 0;
  RawSyscall(SYS_prctl, PR_GET_CHILD_SUBREAPER, AsLong(&reaper));
  if (reaper != 0 || RawSyscall(SYS_getpid) == 1) adopts_orphans = true;
  at_load.root = Root();
  static constinit char directory[kPath];
  if (Failed(RawSyscall(SYS_getcwd, AsLong(&directory[0]), sizeof(directory)))) return;
  at_load.directory.Add(directory);
  const char* options = getenv(ledger::kOptionsVariable);
  at_load.options.Add(ledger::kOptionsVariable).Add("=").Add(options == nullptr ? "" : options);
  const char* helper = getenv(ledger::kHelperVariable);
  if (helper != nullptr && helper[0] == '/') at_load.helper.Add(helper);
  FindPlaces();
  const uint64_t* image = ledger::TheLedger().header().image_id;
  at_load.token.AddHex(image[0]).AddHex(image[1]);
  at_load.name.Add("/nonexistent/lockwarden-helper-").AddHex(ledger::MixHash(image[0] ^ image[1]));
  wanted = !at_load.options.empty() && !at_load.token.empty() && !at_load.name.empty();
}

void NotePrctl(int option, unsigned long value) {
  // Relaxed: read by this process's only thread, and by those that it forks.
  if (option == PR_SET_CHILD_SUBREAPER && value != 0) {
    adopts_orphans.store(true, std::memory_order_relaxed);
  }
  if (option == PR_SET_PTRACER) has_ptracer.store(true, std::memory_order_relaxed);  // as above
}

void ConsiderHelper() {
  if (!wanted || ledger::Sandboxed()) return;
  const int pid = static_cast<int>(RawSyscall(SYS_getpid));
  // Relaxed, both: of several threads none can be the first; a forked child has another pid.
  if (considered.load(std::memory_order_relaxed) == pid) return;
  ledger::ThisThread& self = ledger::this_thread;
  if (self.InRuntime() || !ledger::InitialiseProcess()) return;
  const ledger::Ledger ledger = ledger::TheLedger();
  if (ledger.header().pid != static_cast<uint32_t>(pid)) return;  // vfork's child
  considered.store(pid, std::memory_order_relaxed);               // as above
  if (ledger::HandedOver() || !MayStart()) return;
  uint64_t all = ~uint64_t{0}, before = 0;
  RawSyscall(SYS_rt_sigprocmask, SIG_SETMASK, AsLong(&all), AsLong(&before), sizeof(all));
  self.SetInRuntime(true);
  StartHelper(ledger);
  self.SetInRuntime(false);
  RawSyscall(SYS_rt_sigprocmask, SIG_SETMASK, AsLong(&before), 0, sizeof(before));
}

}  // namespace lockwarden::interpose
