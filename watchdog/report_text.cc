// The text report. Its order is that of the questions an engineer asks who was woken by
// it: what happened, who is stuck where, how sure is that, what do I do, how do I find it
// again. See docs/reports.md.
#include <algorithm>
#include <ctime>
#include <map>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "watchdog/frames.h"
#include "watchdog/printable.h"
#include "watchdog/report.h"
#include "watchdog/report_threads.h"
#include "watchdog/text_writer.h"

namespace lockwarden {
namespace {

bool HappensNow(FindingKind kind) {
  return kind == FindingKind::kDeadlock || kind == FindingKind::kSelfDeadlock ||
         kind == FindingKind::kStall || kind == FindingKind::kNestedMonitor ||
         kind == FindingKind::kLostWakeup;
}

void WriteStory(const Finding& finding, TextWriter* out) {
  const Ink ink = HappensNow(finding.kind) ? Ink::kAlarm : Ink::kWarning;
  // What was merged from several processes is of none.
  const std::string process = finding.pid == 0 ? "" : absl::StrCat(" (pid ", finding.pid, ")");
  out->Line(0, absl::StrCat("lockwarden: ", out->Paint(ink, finding.headline), process));
  for (const std::string& sentence : finding.story) out->Line(2, sentence);
  if (const std::string cycle = CycleLine(finding); !cycle.empty()) {
    out->Line(2, "cycle: " + cycle);
  }
}

void WriteLocks(const Finding& finding, TextWriter* out) {
  if (finding.locks.empty()) return;
  out->Blank();
  out->Line(0, out->Paint(Ink::kHeading, "locks"));
  for (const FindingLock& lock : finding.locks) {
    std::string line = out->Paint(Ink::kLock, lock.label);
    absl::StrAppend(&line, ": ", lock.kind);
    if (lock.address != 0) absl::StrAppendFormat(&line, " at %#x", lock.address);
    if (!lock.lock_class.empty()) {
      absl::StrAppend(&line, lock.class_declared ? ", of class " : ", first seen in ",
                      lock.lock_class);
    }
    out->Line(2, line);
  }
}

void WriteList(const char* heading, const std::vector<std::string>& lines, TextWriter* out) {
  if (lines.empty()) return;
  out->Blank();
  out->Line(0, out->Paint(Ink::kHeading, heading));
  for (const std::string& line : lines) out->Line(2, "- " + line);
}

// Modules that left a frame without a name, with their whole build ids: what to look
// for in a symbol server or a package of debug symbols.
void WriteMissingSymbols(const Finding& finding, TextWriter* out) {
  std::map<std::string, std::string> modules;
  const auto visit = [&](const StackTrace& stack) {
    for (const StackFrame& frame : VisibleFrames(stack)) {
      if (frame.function.empty() && !frame.module.empty()) modules[frame.module] = frame.build_id;
    }
  };
  for (const FindingThread& thread : finding.threads) {
    if (thread.role == FindingThread::Role::kOther) continue;  // their stacks are not printed
    visit(thread.stack);
    for (const FindingHold& hold : thread.holds) visit(hold.stack);
  }
  std::vector<std::string> lines;
  for (const auto& [path, build_id] : modules) {
    lines.push_back(build_id.empty() ? path + ", no build id" : path + ", build id " + build_id);
  }
  WriteList("no symbols were found for", lines, out);
}

void WriteDropped(const Finding& finding, TextWriter* out) {
  std::vector<std::string> lines;
  for (const auto& [name, count] : finding.dropped) lines.push_back(absl::StrCat(name, ": ", count));
  WriteList("not recorded in this process, so that something may be missing above", lines, out);
}

void WriteReferences(const Finding& finding, const TextStyle& style, TextWriter* out) {
  out->Blank();
  if (!finding.program.empty()) out->Line(0, "program: " + finding.program);
  if (finding.time_ns != 0) out->Line(0, "time: " + FormatTime(finding.time_ns));
  if (!finding.fingerprint.empty()) out->Line(0, "fingerprint: " + finding.fingerprint);
  if (finding.incident.empty()) return;
  const std::string directory = style.incidents.empty() ? "" : Printable(style.incidents) + "/";
  out->Line(0, absl::StrCat("incident: ", directory, finding.incident));
}

}  // namespace

std::string FormatTime(uint64_t realtime_ns) {
  const time_t seconds = static_cast<time_t>(realtime_ns / 1'000'000'000);
  struct tm utc = {};
  gmtime_r(&seconds, &utc);
  return absl::StrFormat("%04d-%02d-%02dT%02d:%02d:%02d.%03dZ", utc.tm_year + 1900, utc.tm_mon + 1,
                         utc.tm_mday, utc.tm_hour, utc.tm_min, utc.tm_sec,
                         realtime_ns / 1'000'000 % 1000);
}

std::string FormatText(const Finding& original, const TextStyle& style) {
  const Finding finding = PrintableCopy(original);
  TextWriter out(style.color);
  WriteStory(finding, &out);
  WriteMainThreads(finding, &out);
  WriteThreadsBehind(finding, &out);
  WriteOtherThreads(finding, &out);
  WriteLocks(finding, &out);
  std::vector<std::string> evidence = finding.evidence;
  WriteList(absl::StrCat("confidence: ", ConfidenceName(finding.confidence)).c_str(), evidence,
            &out);
  if (evidence.empty()) {
    out.Blank();
    out.Line(0, absl::StrCat("confidence: ", ConfidenceName(finding.confidence)));
  }
  WriteList("how to fix it", finding.advice, &out);
  WriteMissingSymbols(finding, &out);
  WriteDropped(finding, &out);
  WriteReferences(finding, style, &out);
  return out.text();
}

}  // namespace lockwarden
