#include "watchdog/inspect/inspect_command.h"

#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <string>

#include "absl/strings/str_cat.h"
#include "watchdog/debug_file.h"
#include "watchdog/inspect/inspection.h"
#include "watchdog/inspect/inspection_json.h"
#include "watchdog/inspect/inspection_text.h"
#include "watchdog/process_list.h"

namespace lockwarden {
namespace {

int ExitCodeOf(Inspection::Verdict verdict) {
  switch (verdict) {
    case Inspection::Verdict::kDeadlock:
      return kExitDeadlock;
    case Inspection::Verdict::kUnknown:
      return kExitCannotLook;
    default:
      return kExitNotStuck;
  }
}

void Print(const std::string& text) {
  std::fwrite(text.data(), 1, text.size(), stdout);
  std::fflush(stdout);
}

// This user's processes, or everybody's for root; neither this one nor the kernel's own.
std::vector<int> Everybody() {
  std::vector<int> pids;
  for (const int pid : ProcessList()) {
    struct stat about;
    if (pid == getpid() || stat(absl::StrCat("/proc/", pid).c_str(), &about) != 0) continue;
    if (geteuid() == 0 || about.st_uid == geteuid()) pids.push_back(pid);
  }
  return pids;
}

int InspectAll(const InspectRequest& request, const TextStyle& style) {
  StackLimits limits;
  limits.may_stop = false;
  const std::vector<Inspection> inspections = InspectProcesses(Everybody(), limits);
  if (request.json) {
    for (const Inspection& inspection : inspections) Print(InspectionJson(inspection) + "\n");
  } else {
    Print(FormatSummary(inspections, style));
  }
  const bool stuck = std::any_of(inspections.begin(), inspections.end(), [](const Inspection& i) {
    return i.verdict == Inspection::Verdict::kDeadlock;
  });
  return stuck ? kExitDeadlock : kExitNotStuck;
}

int InspectFile(const InspectRequest& request, const TextStyle& style) {
  const auto inspection = InspectCore(request.core, request.exe, StackLimits());
  if (!inspection.ok()) {
    std::fprintf(stderr, "lockwarden: %s\n", std::string(inspection.status().message()).c_str());
    return kExitCannotLook;
  }
  Print(request.json ? InspectionJson(*inspection) + "\n" : FormatInspection(*inspection, style));
  return ExitCodeOf(inspection->verdict);
}

int InspectOne(const InspectRequest& request, const TextStyle& style) {
  StackLimits limits;
  limits.may_stop = request.may_stop;
  const Inspection inspection = InspectProcess(request.pid, limits);
  Print(request.json ? InspectionJson(inspection) + "\n" : FormatInspection(inspection, style));
  return ExitCodeOf(inspection.verdict);
}

}  // namespace

int InspectCommand(const InspectRequest& request) {
  const char* servers = getenv("DEBUGINFOD_URLS");
  if (servers != nullptr && *servers != '\0') LetFindDebugFileAskServers();
  TextStyle style;
  style.color = isatty(STDOUT_FILENO) != 0;
  if (!request.core.empty()) return InspectFile(request, style);
  for (;;) {
    const int code = request.all ? InspectAll(request, style) : InspectOne(request, style);
    if (request.watch_seconds == 0 || (!request.all && code == kExitCannotLook)) return code;
    const auto whole = static_cast<time_t>(request.watch_seconds);
    const timespec pause = {
        whole, static_cast<long>((request.watch_seconds - static_cast<double>(whole)) * 1e9)};
    nanosleep(&pause, nullptr);
    if (!request.json) Print("\n");
  }
}

}  // namespace lockwarden
