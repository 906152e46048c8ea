// mlockall: the program's memory is locked as it asks, the ledger only as far as it is used.
// Locked with the rest, a gigabyte of it that nobody has touched would become memory.
#include <sys/mman.h>

#include <cerrno>
#include <cstring>

#include "interpose/real.h"
#include "runtime/gate.h"
#include "runtime/sandbox.h"
#include "runtime/text_lines.h"

using namespace lockwarden;
using namespace lockwarden::interpose;

namespace {

// A hexadecimal number and the character behind it.
uint64_t Number(const char** at, char end) {
  uint64_t number = 0;
  for (; **at != '\0' && **at != end; ++*at) {
    const char digit = **at;
    number = number * 16 + static_cast<uint64_t>(digit <= '9' ? digit - '0' : digit - 'a' + 10);
  }
  if (**at == end) ++*at;
  return number;
}

// A sanitizer answers mlockall and does nothing: its shadow memory is larger than any machine's.
bool IsLocked() {
  bool locked = false;
  ledger::ForEachLine("/proc/self/status", [&](const char* line) {
    constexpr char kKey[] = "VmLck:";
    if (std::strncmp(line, kKey, sizeof(kKey) - 1) == 0) {
      locked = std::strpbrk(line, "123456789") != nullptr;
    }
  });
  return locked;
}

// What is locked when it is touched is touched now: all but the ledger. What cannot be (a
// mapping without rights) is passed over, as mlockall passes over it. False: not done.
bool TouchAllBut(uint64_t base, uint64_t size) {
  return ledger::ForEachLine("/proc/self/maps", [=](const char* line) {
    const uint64_t begin = Number(&line, '-');
    const uint64_t end = Number(&line, ' ');
    if (begin < base + size && base < end) return;
    ledger::RawSyscall(SYS_mlock, static_cast<long>(begin), static_cast<long>(end - begin));
  });
}

}  // namespace

LOCKWARDEN_HOOK int mlockall(int flags) noexcept {
  const uint64_t base = ledger::TheGate()->epoch.load(std::memory_order_acquire);  // G2
  // With MCL_ONFAULT the ledger is no more than it was; under a filter no call may be added.
  if ((flags & MCL_CURRENT) == 0 || (flags & MCL_ONFAULT) != 0 || base == 0 ||
      ledger::Sandboxed()) {
    return Real().mlockall(flags);
  }
  const int rc = Real().mlockall(flags | MCL_ONFAULT);
  // A kernel before 4.4 knows no MCL_ONFAULT, nor any a flag that does not exist.
  if (rc != 0) return errno == EINVAL ? Real().mlockall(flags) : rc;
  if (!IsLocked()) return rc;
  const int error = errno;
  if (!TouchAllBut(base, ledger::TheLedger().header().total_size)) {
    return Real().mlockall(flags);
  }
  // What is mapped from now on is touched at once again. This leaves alone what is there.
  if ((flags & MCL_FUTURE) != 0) Real().mlockall(MCL_FUTURE);
  errno = error;
  return rc;
}
