// StacksOfAllThreads: name, state, system call and symbolised stack of every thread of another
// process, whatever that process is stuck in, and without leaving a trace in it.
//
// Methods, and what they cost the thread:
//   stopped   it is stopped while its registers and the used part of its stack are copied, some
//             tens of microseconds (ptrace); exact
//   asleep    nothing: /proc tells stack pointer and program counter of a thread that sleeps in
//             a system call, and afterwards whether it slept all the time. Without the other
//             registers a stack may end early. Used where the thread may not be stopped, and
//             where stopping would show: epoll_wait and its like end with EINTR
//
// Called by: `lockwarden inspect`, and the supervisor for its reports. Blocks the caller until
// the time limit at most; the work is done by a thread of its own. Thread safety: no state.
// Must never: leave a thread stopped, even if this process is killed in the middle of it; send a
// signal; or leave a thread out without saying why.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "watchdog/finding.h"
#include "watchdog/judge.h"

namespace lockwarden {

struct StackLimits {
  uint64_t thread_ns = 100'000'000;   // to stop one thread
  uint64_t total_ns = 2'000'000'000;  // then the rest is left out, and says so; without symbols
  size_t threads = 16'384;
  size_t frames = 256;   // of one stack
  bool may_stop = true;  // false: "asleep" alone
  // Called while a thread stands still: a test's chance to die there.
  std::function<void()> while_stopped_for_test;
};

enum class StackMethod { kNone, kStopped, kAsleep };
const char* StackMethodName(StackMethod method);  // "none", "stopped", "asleep"

struct ThreadStack {
  uint32_t tid = 0;     // as we see it
  uint32_t inside = 0;  // as the process itself sees it: in lock words and in the ledger
  KernelThread kernel;  // name, state and system call, of the same moment as the stack
  StackMethod method = StackMethod::kNone;
  bool consistent = false;    // registers and memory are of one moment
  bool complete = false;      // down to where the thread began
  std::string why;            // what is missing, and why: a clause; empty: nothing is
  std::vector<uint64_t> pcs;  // for a StackResolver; innermost first
  StackTrace frames;          // empty without a resolver
};

struct ProcessStacks {
  std::vector<ThreadStack> threads;  // by tid; the main thread first
  std::string why_none;              // no thread could be listed: a clause; else empty
  size_t left_out = 0;               // beyond StackLimits::threads
};

// `pid` as we see it. `resolver`: knows the process's modules; null: no symbols.
ProcessStacks StacksOfAllThreads(int pid, const StackLimits& limits, StackResolver* resolver);

}  // namespace lockwarden
