// ProcessFacts: small questions about a process, answered from /proc.
// Thread safety: no state. Each answer may be out of date when it arrives.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace lockwarden {

// From /proc/PID/stat.
struct ProcessStat {
  char state = '?';  // R, S, D, T, ... as in proc(5)
  int parent = 0;
  uint64_t start_ticks = 0;  // with the pid it names one process for good
};
std::optional<ProcessStat> ReadProcessStat(int pid);
// The same from the file's text: the name in parentheses may hold anything. Pure.
std::optional<ProcessStat> ParseProcessStat(const std::string& stat);

// False: its clock starts elsewhere, so its start time cannot be compared with ours.
bool SharesTimeNamespace(int pid);

// What it has in memory; 0: not known.
uint64_t ResidentBytes(int pid);
// What the kernel told it at its last exec: where its stack, its vDSO and so on lie. Empty: it
// cannot be read, or the process is ending.
std::string ReadAuxiliaryVector(int pid);

// Whether the kernel is writing its core file.
bool IsDumpingCore(int pid);

// Whether none of its threads is on its way through user or kernel code: all are stopped, or
// have ended. True also when there is no such process.
bool StandsStill(int pid);

// Those that its threads started and that still live (as zombies too).
std::vector<int> Children(int pid);

}  // namespace lockwarden
