// Creates the ledger's segment: memfd, size, seals, format, identity. hand_over.cc passes it
// on; no descriptor stays open in the program.
#include <fcntl.h>
#include <linux/memfd.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "runtime/process.h"
#include "runtime/raw_syscall.h"
#include "runtime/settings.h"
#include "runtime/this_clock.h"

namespace lockwarden::ledger {
namespace {

bool Failed(long result) { return result < 0 && result > -4096; }

constexpr long kSeals = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL;

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
  constexpr uint32_t kSmallest = 12;  // 64 threads take 3.6 MiB of it
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

namespace {

bool IsIndex(TableId id) {
  return id == kLockIndex || id == kEdgeIndex || id == kStackIndex || id == kClassIndex ||
         id == kThreadEdgeIndex;
}

// Slots from the first on beyond which none was ever filled: a level of the index is entered only
// through a window of the one before it that is full.
uint64_t UsedSlots(const Ledger& ledger, TableId id) {
  const auto* slots = ledger.Table<std::atomic<uint64_t>>(id);
  const uint64_t capacity = ledger.Capacity(id);
  uint64_t begin = 0;
  for (uint64_t level = GrowingIndex::kFirstLevel; begin + level <= capacity; level *= 4) {
    bool full = false;
    for (uint64_t window = begin; window < begin + level && !full; window += GrowingIndex::kWindow) {
      full = true;
      for (uint64_t i = window; i < window + GrowingIndex::kWindow && full; ++i) {
        full = slots[i].load(std::memory_order_relaxed) != 0;  // nobody inserts meanwhile
      }
    }
    begin += level;
    if (!full) break;
  }
  return begin;
}

bool WritePart(long file, const Ledger& ledger, uint64_t offset, uint64_t size) {
  while (size != 0) {
    const long wrote = RawSyscall(SYS_pwrite64, file,
                                  AsLong(static_cast<char*>(ledger.base()) + offset),
                                  static_cast<long>(size), static_cast<long>(offset));
    if (wrote <= 0) return false;
    offset += static_cast<uint64_t>(wrote);
    size -= static_cast<uint64_t>(wrote);
  }
  return true;
}

// What of it was ever written: to look at the rest would make memory of it.
bool WriteUsed(long file, const Ledger& ledger) {
  const Header& header = ledger.header();
  if (!WritePart(file, ledger, 0, sizeof(header))) return false;
  for (uint32_t id = 0; id < kTableCount; ++id) {
    const TableDirectoryEntry& table = header.tables[id];
    // Relaxed: nobody else writes meanwhile.
    uint64_t used = table.used.load(std::memory_order_relaxed);
    if (IsIndex(static_cast<TableId>(id))) used = UsedSlots(ledger, static_cast<TableId>(id));
    if (used > table.capacity) used = table.capacity;
    if (!WritePart(file, ledger, table.offset, used * table.record_size)) return false;
  }
  return true;
}

}  // namespace

long MoveSegment(const Ledger& ledger) {
  const long size = static_cast<long>(ledger.header().total_size);
  // Growing a file past RLIMIT_FSIZE kills with SIGXFSZ, and the limit may be a new one.
  rlimit limit{};
  if (Failed(RawSyscall(SYS_prlimit64, 0, RLIMIT_FSIZE, 0, AsLong(&limit))) ||
      (limit.rlim_cur != RLIM_INFINITY && static_cast<uint64_t>(size) > limit.rlim_cur)) {
    return -EFBIG;
  }
  const long file = RawSyscall(SYS_memfd_create, AsLong("lockwarden-ledger"),
                               MFD_CLOEXEC | MFD_ALLOW_SEALING);
  if (Failed(file)) return file;
  long result = RawSyscall(SYS_ftruncate, file, size);
  if (!Failed(result) && !WriteUsed(file, ledger)) result = -ENOSPC;
  if (!Failed(result)) result = RawSyscall(SYS_fcntl, file, F_ADD_SEALS, kSeals);
  // One call puts it in the place of the old one.
  if (!Failed(result)) {
    result = RawSyscall(SYS_mmap, AsLong(static_cast<char*>(ledger.base())), size,
                        PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE | MAP_FIXED, file, 0);
  }
  if (Failed(result)) {
    RawSyscall(SYS_close, file);
    return result;
  }
  RawSyscall(SYS_madvise, AsLong(static_cast<char*>(ledger.base())), size, MADV_DONTDUMP);
  return file;
}

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
  void* base = nullptr;
  if (Failed(RawSyscall(SYS_ftruncate, file, static_cast<long>(size))) ||
      Failed(RawSyscall(SYS_fcntl, file, F_ADD_SEALS, kSeals))) {
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
