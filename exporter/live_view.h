// LiveView: what the programs' locks look like at one moment: numbers for metrics, and the
// threads and locks that the status page draws. Made by LiveModel from ledgers; whoever shows
// it needs no ledger.
//
// A value; thread-safe to read.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "exporter/class_book.h"

namespace lockwarden {

inline constexpr double kNeverSeconds = 0;  // of timestamps: there is none

struct ClassSeries {
  std::string name;  // "other": all that have no seat
  ClassCounts counts;
  ClassTimes times;
  uint64_t waiters = 0;                        // now
  double oldest_wait_seconds = kNeverSeconds;  // Unix time at which it began
  double oldest_hold_seconds = kNeverSeconds;  // likewise; held since then at least
};

struct LiveLock {
  uint32_t pid = 0;
  std::string label;       // "mutex 17", or its name in quotes
  std::string kind;        // "mutex"
  std::string lock_class;  // "transfer bank.cc:40"
};

struct LiveHold {
  size_t lock = 0;  // index into LiveView::locks
  std::string mode;
  double since_seconds = kNeverSeconds;  // held since then at least (Unix time)
  std::string where;
};

struct LiveThread {
  uint32_t pid = 0, tid = 0;
  std::string name;
  std::vector<LiveHold> holds;
  bool waits = false;
  bool has_lock = false;  // it waits for `lock`; else for what `waits_mode` says
  size_t lock = 0;
  std::string waits_mode;  // "exclusive", "shared", "unit", "signal", "join"
  uint32_t joins_tid = 0;  // 0: not known
  bool timed = false;
  double since_seconds = kNeverSeconds;
  std::string where;
};

struct LiveProcess {
  uint32_t pid = 0;
  std::string program;          // base name
  bool is_program = false;      // the one that was asked for, not one that it started
  char state = '?';             // as in /proc/PID/stat; 'T': stopped
  bool standing_still = false;  // every thread of it is stopped
  uint64_t threads = 0;
};

// The kernel's numbers of the program itself; all 0 while it does not run.
struct ProcessNumbers {
  double cpu_seconds = 0, start_time_seconds = 0;
  uint64_t resident_bytes = 0, virtual_bytes = 0, open_fds = 0, threads = 0;
};

struct LiveView {
  // Of a first moment at which nothing was looked at yet.
  static LiveView Empty() {
    LiveView view;
    view.classes.push_back({.name = "other", .counts = {}, .times = {}});
    return view;
  }
  double time_seconds = 0;           // Unix time; 0: nothing was looked at yet
  std::vector<ClassSeries> classes;  // the last one is "other"
  uint64_t classes_folded = 0;
  uint64_t samples = 0;  // looks at who holds what
  ProcessNumbers process;
  std::vector<LiveProcess> processes;
  std::vector<LiveThread> threads;  // those that wait first, then those that hold
  std::vector<LiveLock> locks;
  uint64_t threads_left_out = 0;  // not shown, for want of room
  uint64_t processes_left_out = 0;
};

}  // namespace lockwarden
