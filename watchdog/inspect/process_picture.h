// ProcessPicture: one process at one moment, from outside: each thread with its stack, what it
// waits for, and whom that makes it wait for.
//
// Made by: `lockwarden inspect`. Read by: the graph and the writers. A value.
// Must never: touch the process more than StacksOfAllThreads does.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/functional/function_ref.h"
#include "watchdog/file_locks.h"
#include "watchdog/finding.h"
#include "watchdog/inspect/thread_stacks.h"
#include "watchdog/inspect/wait_decoder.h"
#include "watchdog/judge.h"

namespace lockwarden {

struct PictureThread {
  ThreadStack stack;
  DecodedWait wait;
  size_t lock = 0;    // index into ProcessPicture::locks, when it waits for one
  std::string doing;  // a clause: "waits for mutex 2, which thread 'a' (tid 7) holds"
  // Processes of which any thread could end the wait; 0 is never among them.
  std::vector<int> outside;
  bool others_may_hold = false;  // beside `outside`: some processes could not be asked
  uint32_t outside_owner = 0;    // a tid of another process, as this one sees it; 0: none

  bool waits_for_lock() const {
    return wait.awaited != Awaited::kNothing && wait.awaited != Awaited::kSystemCall &&
           wait.awaited != Awaited::kUnknown && wait.awaited != Awaited::kJoin;
  }
};

struct ProcessPicture {
  int pid = 0;
  std::string program;                 // path, or the name alone where that may not be read
  uint64_t time_ns = 0;                // CLOCK_REALTIME
  std::vector<PictureThread> threads;  // the main thread first
  std::vector<FindingLock> locks;
  size_t left_out = 0;  // threads
  // What could end any wait though it is no thread of the process; a clause, empty: nothing.
  std::string wakes_anybody;
  std::string why_none;            // there are no threads; a clause
  std::vector<std::string> notes;  // what could not be had, and why

  const PictureThread* Thread(uint32_t inside) const;
  std::string NameOfThread(uint32_t inside) const;  // "thread 'a' (tid 7)"
};

// `name_of`: the variable at an address, or empty. `files`: null where there is no kernel to ask.
struct PictureSource {
  KernelView* kernel = nullptr;
  FileLockView* files = nullptr;
  absl::FunctionRef<std::string(uint64_t)> name_of;
  absl::FunctionRef<std::string(const KernelThread&)> describe_call;
};
ProcessPicture DecodeProcess(int pid, ProcessStacks stacks, const PictureSource& source);

// A living process: its stacks, decoded.
ProcessPicture TakePicture(int pid, const StackLimits& limits, KernelView* kernel,
                           StackResolver* resolver);

}  // namespace lockwarden
