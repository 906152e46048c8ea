// Crash: a process that was killed, with what each of its threads held and waited for at that
// moment. No finding: nobody is blamed. It becomes an incident and one line.
//
// Made from the ledger, which outlives the process. Thread safety: a value and pure functions.
#pragma once

#include <cstdint>
#include <string>

#include "watchdog/finding.h"
#include "watchdog/judge.h"

namespace lockwarden {

struct Crash {
  int signal = 0;
  bool core_dumped = false;
  bool out_of_memory = false;  // the kernel counted such a kill in the process's control group
  // Process, time, threads, locks, fingerprint and incident are used of it. Those threads that
  // held or waited for something have the role kInCycle.
  Finding scene;
  size_t holding = 0, waiting = 0;  // threads; conditions and semaphores do not count
};

// `process`: with the last snapshot of its ledger.
Crash CrashOf(const JudgedProcess& process, int signal, bool core_dumped, bool out_of_memory,
              uint64_t now_ns);

// Whether there is anything to tell beyond the signal itself.
bool IsWorthTelling(const Crash& crash);

// "CRASH: ./server was killed by SIGSEGV; thread 'io' (tid 7) held mutex 3 (taken at f, x.c:9)".
std::string CrashLine(const Crash& crash);

// report.txt and report.json of its incident; docs/crash.schema.json.
std::string FormatCrashText(const Crash& crash);
std::string FormatCrashJson(const Crash& crash);

}  // namespace lockwarden
