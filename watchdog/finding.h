// Finding: one thing worth telling a person, complete in itself: it can be printed,
// written to a file or sent on after the process and its ledger are gone.
//
// Produced by the judge; turned into text and JSON by watchdog/report_*.h.
// Thread safety: a value.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "runtime/lock_ref.h"

namespace lockwarden {

enum class FindingKind {
  kDeadlock,
  kSelfDeadlock,
  kOrderViolation,
  kPotentialDeadlock,
  kNestedMonitor,
  kLostWakeup,
  kSignalUnsafeLock,
  kStall,
  kMisuse,
};
// "deadlock", "self_deadlock", ...: the names in JSON, metrics and suppressions.
const char* KindName(FindingKind kind);

// How sure a finding is; see docs/detectors.md.
enum class Confidence { kPossible, kLikely, kStrong, kProven };
const char* ConfidenceName(Confidence confidence);

// One stack frame. Without symbols, module, offset and build id are still there.
struct StackFrame {
  uint64_t pc = 0;       // return address
  std::string function;  // demangled; empty: not known
  std::string file;      // empty: not known
  int line = 0;
  std::string module;    // path; empty: in no known module
  uint64_t module_offset = 0;
  std::string build_id;  // hexadecimal
  bool inlined = false;  // inlined into the frame that follows
};
using StackTrace = std::vector<StackFrame>;  // innermost first

struct FindingLock {
  uint64_t id = 0;      // serial: unique in the process
  std::string name;     // as the program named it, else empty
  std::string label;    // for sentences: its name, "mutex 17", "semaphore 3"
  uint64_t address = 0;
  std::string kind;     // "mutex", "rwlock", "semaphore", ...
  std::string shared;   // what processes that share it all call it; empty: only one has it
  std::string lock_class;  // as declared, or "function file:line" of the creating or first
                           // locking site
  bool class_declared = false;
};

struct FindingHold {
  size_t lock = 0;  // index into Finding::locks
  std::string mode;  // "exclusive", "shared", "unit"
  bool inferred = false;  // a semaphore's holder
  StackTrace stack;       // where it was acquired
};

struct FindingThread {
  uint32_t pid = 0;  // as the supervisor sees it, if several processes are involved; else 0
  uint32_t tid = 0;
  uint32_t serial = 0;
  std::string name;
  // What it is doing now: where it waits. For a predicted deadlock: where it acquired
  // the second lock of its edge.
  StackTrace stack;
  std::vector<FindingHold> holds;
  bool waits = false;
  size_t waits_for = 0;     // index into Finding::locks, when `waits`
  std::string waits_mode;   // "exclusive", "shared", "unit", "signal", "join"
  uint32_t joins_tid = 0;   // waits_mode "join": the thread waited for
  bool timed = false;
  double blocked_seconds = 0;  // 0: not known
  enum class Role { kInCycle, kBehind, kOther } role = Role::kInCycle;
};

struct Finding {
  FindingKind kind = FindingKind::kMisuse;
  Confidence confidence = Confidence::kPossible;
  uint32_t pid = 0;         // as the supervisor sees it
  std::string program;
  uint64_t image_id[2] = {};
  uint64_t time_ns = 0;     // CLOCK_REALTIME
  std::string headline;     // what follows "lockwarden: ", without " (pid N)"
  std::vector<std::string> story;     // one or two sentences a person can act on
  std::vector<FindingThread> threads;  // the cycle first, then those behind, then others
  std::vector<FindingLock> locks;
  std::vector<size_t> cycle;     // indexes into threads, in waiting order
  std::vector<std::string> evidence;  // which witnesses agreed, which could not be had
  std::vector<std::string> advice;    // how to fix it
  std::string misuse;            // kMisuse, kOrderViolation: the sort, e.g. "unlock_not_owner"
  std::string heartbeat;         // kStall: whose deadline was missed; else empty
  std::string cause;             // kStall: what the thread does instead, e.g. "lock"
  std::string fingerprint;       // stable over runs and rebuilds: symbols and sites, no addresses
  // What the recorder of this process could not record, by name ("held_list", "stack", a
  // table's name): counts since the process began. Empty: nothing was dropped.
  std::map<std::string, uint64_t> dropped;
  std::string incident;          // id of the incident directory; empty: none was written
};

}  // namespace lockwarden
