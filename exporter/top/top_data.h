// TopData: what `lockwarden top` shows, read from the status that supervisors (and linked
// exporters) answer with: see docs/api.md. Names are made printable here, once.
//
// Values and pure functions. Must never: believe what another user's process says to be well
// formed, or short.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace lockwarden {

struct TopThread {
  uint32_t pid = 0, tid = 0;
  std::string name;
  bool deadlocked = false;
  bool waits = false, timed = false;
  double blocked_seconds = 0;
  std::string waits_for;           // "mutex 7 \"accounts\"", "thread 4711", "signal"
  std::string owner;               // who holds it: "worker-2 (102)", "2 readers"; empty: not known
  std::string where;               // of the wait, else of the newest hold
  std::vector<std::string> holds;  // labels, oldest first
};

struct TopClass {
  std::string name;
  uint64_t waiters = 0, acquisitions = 0, contentions = 0;
  double wait_seconds = 0, hold_seconds = 0;
  // A second, since the status before; 0 the first time.
  double acquisition_rate = 0, contention_rate = 0, wait_rate = 0, hold_rate = 0;
};

struct TopProgram {
  std::string source;  // who was asked: the same as long as it lives
  std::string program;
  int watcher_pid = 0;
  std::vector<uint32_t> pids;  // of its processes, its own first
  bool running = false, recorded = false;
  std::string not_answering;  // "deadlocked", "stopped", ...; empty: it may be well
  uint64_t deadlocked_threads = 0, deadlock_cycles = 0, potential_deadlocks = 0;
  uint64_t threads = 0, threads_left_out = 0, locks = 0;
  double time_seconds = 0;  // Unix time of the look
  std::vector<TopThread> waiting_or_holding;
  std::vector<TopClass> classes;
};

// nullopt: it is no status.
std::optional<TopProgram> ParseTopProgram(const std::string& status_json);
// From two statuses of the same source.
void FillRates(const TopProgram& before, TopProgram* now);

}  // namespace lockwarden
