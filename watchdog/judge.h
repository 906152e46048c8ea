// ProcessJudge: from one process's ledger to findings. The whole algorithm is in
// Step(now), which never sleeps and never blocks on the program: time, the ledger
// and the kernel's view of the process are injected.
//
// Written and read by: the thread that owns it (the supervisor's loop). Not thread-safe.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/container/flat_hash_set.h"
#include "watchdog/finding.h"
#include "watchdog/shared_memory.h"
#include "watchdog/snapshot.h"

namespace lockwarden {

// What the kernel says of a thread, from /proc/PID/task/TID. nullopt members could
// not be read (setuid, container, gone): the judge then grades lower, never guesses.
struct KernelThread {
  bool exists = false;
  char state = '?';                       // R, S, D, T, t, Z, ...
  std::optional<int64_t> syscall;         // number; -1: not in a system call
  uint64_t syscall_args[6] = {};
  uint64_t stack_pointer = 0, pc = 0;
  std::optional<uint64_t> context_switches;  // voluntary + involuntary
  std::string comm;
};

// Since the thread began: on a processor, and ready but on none.
struct ThreadSchedule {
  uint64_t run_ns = 0, delay_ns = 0;
};

class KernelView {
 public:
  virtual ~KernelView() = default;
  virtual KernelThread Thread(uint32_t tid) = 0;          // tid as in the ledger
  // All threads of the process; one that the ledger could not name has tid 0.
  virtual std::optional<std::vector<uint32_t>> Tids() = 0;
  // Signals that have a handler, bit n-1 for signal n; nullopt: not known.
  virtual std::optional<uint64_t> CaughtSignals() { return std::nullopt; }
  // Signals that an armed POSIX timer sends, bit n-1 for signal n; nullopt: not known.
  virtual std::optional<uint64_t> TimerSignals() { return 0; }
  // Another process (clone with CLONE_VM and without CLONE_THREAD) works in the same memory.
  virtual bool MemoryIsShared() { return false; }
  // Memory that no other process can wake a sleeper through: a mapping that is not shared.
  // False also if that cannot be known.
  virtual bool IsPrivate(uint64_t /*address*/) { return false; }
  // Copies memory of the process; false when it cannot be had.
  virtual bool ReadMemory(uint64_t address, void* out, size_t size) = 0;
  virtual std::optional<ThreadSchedule> Schedule(uint32_t /*tid*/) { return std::nullopt; }
  // How long the process's control group was kept from running; nullopt: not known, or no limit.
  virtual std::optional<uint64_t> ThrottledUs() { return std::nullopt; }
  // Tids are the same on both sides.
  virtual bool SharesPidNamespace() { return false; }
  // The kernel's function that the thread sleeps in; empty: not known.
  virtual std::string WaitChannel(uint32_t /*tid*/) { return ""; }
  // What it shares with other processes; empty when that is not known.
  virtual std::vector<SharedMapping> SharedMappings() { return {}; }
  // No process has a thread that this one would call by that tid; false: not known.
  virtual bool NobodyHas(uint32_t tid) {
    static_cast<void>(tid);
    return false;
  }
};
// pid as this process sees it; translates tids over pid namespaces (NSpid).
std::unique_ptr<KernelView> MakeProcKernelView(int pid);

// Resolves pcs to functions and lines. Implemented by watchdog/symbolizer.h.
class StackResolver {
 public:
  virtual ~StackResolver() = default;
  virtual StackTrace Resolve(const std::vector<uint64_t>& pcs) = 0;
};

class OrderRules;

struct JudgeOptions {
  uint64_t confirm_after_ns = 30'000'000;  // between the two collects
  bool predict = true;                     // lock-order cycles
  bool predict_joins = true;               // also those with a thread that is joined in them
  bool predict_classes = false;            // also those that exist between lock classes only
  uint64_t wait_limit_ns = 0;              // longer waits for a lock are told; 0: none is
  const OrderRules* rules = nullptr;       // null: none; outlives the judge
};

// Now, of one process: what metrics show.
struct JudgeState {
  uint64_t deadlocked_threads = 0;
  uint64_t deadlock_cycles = 0;
  uint64_t told_now = 0;  // deadlocks, sure or presumed, that were told and have not dissolved
  uint64_t order_cycles = 0;
  // Predictions and violations with the fingerprint of one that was told: not told again.
  uint64_t merged = 0;
};

class FindingParts;
class StallWatch;

// What a judge lends to the joint one, which looks at several processes at once.
struct JudgedProcess {
  int pid = 0;
  const Snapshot* snapshot = nullptr;  // the last one
  const LedgerReader* reader = nullptr;
  KernelView* kernel = nullptr;
  const FindingParts* parts = nullptr;
  const absl::flat_hash_set<LockKey>* handed_over = nullptr;
};

class ProcessJudge {
 public:
  ProcessJudge(const LedgerReader* reader, KernelView* kernel, StackResolver* resolver, int pid,
               JudgeOptions options);
  ~ProcessJudge();

  // Looks once; returns what is new. A deadlock takes two calls at least
  // confirm_after_ns apart. `now_ns` is CLOCK_MONOTONIC. Each finding comes once.
  std::vector<Finding> Step(uint64_t now_ns);
  // The process has ended (or exec'ed): predictions and misuse not told yet.
  std::vector<Finding> Finish(uint64_t now_ns);
  // The watchdog did not look in time, or the machine slept: deadlines count from now on.
  void Rebase(uint64_t now_ns);
  // What goes on although it was told; and what was counted of it.
  const StallWatch& stalls() const;
  // Set after Step when a second collect is wanted soon, at this time; 0: none.
  uint64_t next_look_ns() const;
  const JudgeState& state() const;
  // A line for each lock-order cycle that cannot close, with the reason.
  std::vector<std::string> TurnedDown() const;
  const Snapshot& last_snapshot() const;
  JudgedProcess Lend() const;  // good until the next call of Step or Finish

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace lockwarden
