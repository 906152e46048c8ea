// StallCause: what a thread does instead of going on, as the ledger and the kernel say.
//
// Pure but for asking the kernel. Must never: guess; what could not be read is "unknown".
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "watchdog/judge.h"
#include "watchdog/snapshot.h"

namespace lockwarden {

// What the scheduler says of a thread at one moment; two of them tell running from starving.
struct CpuUse {
  std::optional<ThreadSchedule> schedule;
  std::optional<uint64_t> throttled_us;
};
CpuUse ReadCpuUse(KernelView* kernel, uint32_t tid);

enum class StallKind {
  kLock,             // waits for what another thread would have to release, signal or end
  kSystemCall,       // asleep in a system call
  kRunning,          // on a processor
  kStarved,          // could run, and no processor takes it
  kThrottled,        // could run, and its control group may not
  kUninterruptible,  // asleep where no signal reaches it: a disk, a network file system
  kStopped,          // by SIGSTOP or a debugger: time does not count
  kEnded,            // the thread is gone
  kUnknown,
};
// Those that findings and metrics name; time does not count while a thread is stopped.
inline constexpr StallKind kToldStallKinds[] = {
    StallKind::kLock,      StallKind::kSystemCall,      StallKind::kRunning, StallKind::kStarved,
    StallKind::kThrottled, StallKind::kUninterruptible, StallKind::kEnded,   StallKind::kUnknown};
// "lock", "system_call", ...: in JSON and metrics.
const char* StallKindName(StallKind kind);

struct StallCause {
  StallKind kind = StallKind::kUnknown;
  std::string what;  // "is in the system call read", after the thread's name
};

// `thread`: null if the ledger knows none. `before`: taken a little earlier.
StallCause FindStallCause(const ThreadInfo* thread, KernelView* kernel, const CpuUse& before);

// "read"; "system call 451" for one without a name here.
std::string SystemCallName(int64_t number);

}  // namespace lockwarden
