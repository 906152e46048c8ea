// Creates the ledger's segment: memfd, size, seals, format, identity. hand_over.cc passes it
// on; no descriptor stays open in the program.
#include <fcntl.h>
#include <linux/memfd.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstring>

#include "runtime/process.h"
#include "runtime/raw_syscall.h"
#include "runtime/settings.h"
#include "runtime/this_clock.h"

namespace lockwarden::ledger {
namespace {

bool Failed(long result) { return result < 0 && result > -4096; }

// What a guest may take of the address space that the program is allowed.
constexpr uint64_t kShareOfMemory = 16;

// The largest segment whose size the process's limits allow; shift by shift.
uint32_t ScaleFor(uint64_t* size) {
  rlimit file{}, memory{};
  if (Failed(RawSyscall(SYS_prlimit64, 0, RLIMIT_FSIZE, 0, AsLong(&file)))) {
    file.rlim_cur = RLIM_INFINITY;
  }
  if (Failed(RawSyscall(SYS_prlimit64, 0, RLIMIT_AS, 0, AsLong(&memory)))) {
    memory.rlim_cur = RLIM_INFINITY;
  }
  constexpr uint32_t kSmallest = 10;
  for (uint32_t shift = 0; shift <= kSmallest; ++shift) {
    *size = Ledger::SizeFor(Capacities{}.Scaled(shift));
    // Growing a file past RLIMIT_FSIZE kills with SIGXFSZ.
    if (*size <= file.rlim_cur &&
        (memory.rlim_cur == RLIM_INFINITY || *size <= memory.rlim_cur / kShareOfMemory)) {
      return shift;
    }
  }
  *size = 0;
  return kSmallest;
}

// Field 22 of /proc/self/stat: start time in clock ticks. Fields are counted after the
// command's name, which may contain anything, also parentheses.
uint64_t ProcessStartTicks() {
  char text[1024];
  ReadSmallFile("/proc/self/stat", text, sizeof(text));
  const char* at = std::strrchr(text, ')');
  if (at == nullptr) return 0;
  for (int field = 2; field < 22 && at != nullptr; ++field) at = std::strchr(at + 1, ' ');
  uint64_t ticks = 0;
  for (const char* c = at == nullptr ? "" : at + 1; *c >= '0' && *c <= '9'; ++c) {
    ticks = ticks * 10 + static_cast<uint64_t>(*c - '0');
  }
  return ticks;
}

void Identify(Header& header) {
  if (Failed(RawSyscall(SYS_getrandom, AsLong(&header.image_id[0]), sizeof(header.image_id), 0))) {
    header.image_id[0] = MixHash(MonotonicNs());
    header.image_id[1] = MixHash(header.image_id[0] ^ static_cast<uint64_t>(getpid()));
  }
  header.pid = static_cast<uint32_t>(getpid());
  header.parent_pid = static_cast<uint32_t>(getppid());
  header.process_start_ticks = ProcessStartTicks();
  header.clock_monotonic_ns = MonotonicNs();
  header.clock_realtime_ns = ClockNs(CLOCK_REALTIME);
  const StackMode stacks = TheSettings().stacks;
  if (stacks == StackMode::kFull) header.flags |= kStacksFull;
  if (stacks == StackMode::kSite) header.flags |= kStacksSite;
  RawSyscall(SYS_readlinkat, AT_FDCWD, AsLong("/proc/self/exe"), AsLong(&header.program[0]),
             sizeof(header.program) - 1);
  const long length = ReadSmallFile("/proc/self/comm", header.comm, sizeof(header.comm));
  if (length > 0 && header.comm[length - 1] == '\n') header.comm[length - 1] = '\0';
}

}  // namespace

long ReadSmallFile(const char* path, char* buffer, uint64_t size) {
  const long fd = RawSyscall(SYS_openat, AT_FDCWD, AsLong(path), O_RDONLY | O_CLOEXEC);
  if (Failed(fd)) return 0;
  const long got = RawSyscall(SYS_read, fd, AsLong(buffer), static_cast<long>(size - 1));
  RawSyscall(SYS_close, fd);
  buffer[Failed(got) ? 0 : got] = '\0';
  return Failed(got) ? 0 : got;
}

bool CreateSegment(Ledger* ledger, int* fd, const char** reason) {
  uint64_t size = 0;
  const uint32_t shift = ScaleFor(&size);
  if (size == 0) {
    *reason = "the limits on memory or file size leave no room for a ledger";
    return false;
  }
  const long file = RawSyscall(SYS_memfd_create, AsLong("lockwarden-ledger"),
                               MFD_CLOEXEC | MFD_ALLOW_SEALING);
  if (Failed(file)) {
    *reason = "memfd_create failed";
    return false;
  }
  *reason = nullptr;
  const long seals = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL;
  void* base = nullptr;
  if (Failed(RawSyscall(SYS_ftruncate, file, static_cast<long>(size))) ||
      Failed(RawSyscall(SYS_fcntl, file, F_ADD_SEALS, seals))) {
    *reason = "the ledger could not be sized";
  } else {
    base = reinterpret_cast<void*>(RawSyscall(SYS_mmap, 0, static_cast<long>(size),
                                              PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE,
                                              file, 0));
    if (Failed(reinterpret_cast<long>(base))) *reason = "the ledger could not be mapped";
  }
  if (*reason != nullptr) {
    RawSyscall(SYS_close, file);
    return false;
  }
  // Sparse shared memory would be written out in full with a core.
  RawSyscall(SYS_madvise, AsLong(base), static_cast<long>(size), MADV_DONTDUMP);
  Ledger::Format(base, Capacities{}.Scaled(shift));
  *ledger = Ledger(base);
  Identify(ledger->header());
  *fd = static_cast<int>(file);
  return true;
}

}  // namespace lockwarden::ledger
