// See crash.h. Threads and locks are written as in a finding.
#include "watchdog/crash.h"

#include <algorithm>
#include <csignal>
#include <cstring>

#include <nlohmann/json.hpp>

#include "absl/strings/str_cat.h"
#include "watchdog/finding_parts.h"
#include "watchdog/frames.h"
#include "watchdog/printable.h"
#include "watchdog/report.h"
#include "watchdog/report_threads.h"
#include "watchdog/text_writer.h"

namespace lockwarden {
namespace {

constexpr size_t kMostThreads = 256;  // with stacks; the others are counted

bool IsLockWait(const Wait& wait) {
  return wait.mode == ledger::Mode::kExclusive || wait.mode == ledger::Mode::kShared ||
         wait.mode == ledger::Mode::kUpgrade;
}

std::string SignalName(int signal) {
  const char* name = sigabbrev_np(signal);
  return name == nullptr ? absl::StrCat("signal ", signal) : absl::StrCat("SIG", name);
}

std::string Killer(const Crash& crash) {
  return absl::StrCat("was killed by ", SignalName(crash.signal),
                      crash.out_of_memory ? ", out of memory" : "");
}

void AddThread(const JudgedProcess& process, const ThreadInfo& info, uint64_t now_ns,
               Crash* crash) {
  const FindingParts& parts = *process.parts;
  FindingThread thread = parts.Thread(info);
  bool holds = false;
  for (const HeldLock& held : info.held) {
    if (held.inherited) continue;
    holds |= held.mode != ledger::Mode::kUnit;
    const size_t lock = parts.AddLock(&crash->scene, held.lock);
    thread.holds.push_back({lock, ModeName(held.mode), held.mode == ledger::Mode::kUnit,
                            parts.Stack(held.stack, held.site)});
  }
  const Wait* wait = info.waits.empty() ? nullptr : &info.waits.back();
  if (wait != nullptr) {
    thread.waits = true;
    thread.waits_mode = ModeName(wait->mode);
    thread.timed = wait->timed;
    thread.stack = parts.Stack(wait->stack, wait->site);
    if (wait->mode != ledger::Mode::kJoin) {
      thread.waits_for = parts.AddLock(&crash->scene, wait->lock);
    }
    if (wait->since_ns != 0 && wait->since_ns < now_ns) {
      thread.blocked_seconds = static_cast<double>(now_ns - wait->since_ns) / 1e9;
    }
  }
  crash->holding += holds;
  crash->waiting += wait != nullptr && IsLockWait(*wait);
  thread.role = thread.holds.empty() && wait == nullptr ? FindingThread::Role::kOther
                                                        : FindingThread::Role::kInCycle;
  crash->scene.threads.push_back(std::move(thread));
}

// "thread 'io' (tid 7) held mutex 3 (taken at f, x.c:9)" of the first that held a lock.
std::string FirstHolder(const Crash& crash) {
  for (const FindingThread& thread : crash.scene.threads) {
    for (const FindingHold& hold : thread.holds) {
      if (hold.mode == "unit" || hold.lock >= crash.scene.locks.size()) continue;
      return absl::StrCat(NameOf(thread), " held ", crash.scene.locks[hold.lock].label,
                          PlaceInBrackets("taken", hold.stack));
    }
  }
  return "";
}

std::string Headline(const Crash& crash) {
  std::string line = absl::StrCat("CRASH: ", Basename(crash.scene.program), " ", Killer(crash));
  std::vector<std::string> rest;
  if (const std::string first = FirstHolder(crash); !first.empty()) {
    absl::StrAppend(&line, "; ", first);
    if (crash.holding > 1) {
      absl::StrAppend(&line, ", and ", Counted(crash.holding - 1, "other thread"), " held locks");
    }
  }
  if (crash.waiting != 0) {
    absl::StrAppend(&line, "; ", Counted(crash.waiting, "thread"), " waited for ",
                    crash.waiting == 1 ? "a lock" : "locks");
  }
  return line;
}

}  // namespace

Crash CrashOf(const JudgedProcess& process, int signal, bool core_dumped, bool out_of_memory,
              uint64_t now_ns) {
  Crash crash;
  crash.signal = signal;
  crash.core_dumped = core_dumped;
  crash.out_of_memory = out_of_memory;
  crash.scene = process.parts->Begin(FindingKind::kMisuse, now_ns);
  crash.scene.misuse = "crash";  // of the fingerprint alone
  crash.scene.cause = SignalName(signal);
  size_t left_out = 0;
  for (const ThreadInfo& thread : process.snapshot->threads) {
    if (thread.exempt) continue;
    if (crash.scene.threads.size() < kMostThreads) {
      AddThread(process, thread, now_ns, &crash);
    } else {
      ++left_out;
    }
  }
  std::stable_sort(crash.scene.threads.begin(), crash.scene.threads.end(),
                   [](const FindingThread& a, const FindingThread& b) { return a.role < b.role; });
  crash.scene.headline = Headline(crash);
  crash.scene.story.push_back(absl::StrCat(
      "The process ", Killer(crash), "; ", Counted(crash.holding, "thread"), " held locks and ",
      crash.waiting, " waited for one.", crash.core_dumped ? " A core file was written." : ""));
  if (left_out != 0) {
    crash.scene.story.push_back(
        absl::StrCat(Counted(left_out, "more thread"), " not listed: the ledger has them."));
  }
  return crash;
}

bool IsWorthTelling(const Crash& crash) {
  return crash.holding != 0 || crash.waiting != 0 || crash.out_of_memory;
}

std::string CrashLine(const Crash& crash) {
  return absl::StrCat(Printable(crash.scene.headline), " (pid ", crash.scene.pid, ")");
}

std::string FormatCrashText(const Crash& crash) {
  const Finding scene = PrintableCopy(crash.scene);
  TextWriter out(/*color=*/false);
  out.Line(0, absl::StrCat("lockwarden: ", scene.headline, " (pid ", scene.pid, ")"));
  for (const std::string& sentence : scene.story) out.Line(2, sentence);
  out.Blank();
  out.Line(0, "What each thread held and waited for when the process died:");
  WriteMainThreads(scene, &out);
  WriteOtherThreads(scene, &out);
  out.Blank();
  out.Line(0, "program: " + scene.program);
  out.Line(0, "time: " + FormatTime(scene.time_ns));
  out.Line(0, "fingerprint: " + scene.fingerprint);
  out.Line(0, "incident: " + scene.incident);
  return out.text();
}

std::string FormatCrashJson(const Crash& crash) {
  using Json = nlohmann::ordered_json;
  const Json scene = Json::parse(FormatJson(crash.scene));
  Json json = {{"schema_version", 1},
               {"kind", "crash"},
               {"signal", SignalName(crash.signal)},
               {"signal_number", crash.signal},
               {"core_dumped", crash.core_dumped},
               {"out_of_memory", crash.out_of_memory}};
  for (const char* key : {"headline", "pid", "program", "image_id", "time", "story", "threads",
                          "locks", "dropped", "fingerprint", "incident"}) {
    json[key] = scene.at(key);
  }
  return json.dump();
}

}  // namespace lockwarden
