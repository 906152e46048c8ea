// The order is that of the questions: is it stuck, on what, who is at the root of it, and what
// does everybody else do.
#include "watchdog/inspect/inspection_text.h"

#include <algorithm>
#include <map>
#include <set>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "watchdog/finding_parts.h"
#include "watchdog/frames.h"
#include "watchdog/printable.h"
#include "watchdog/report_threads.h"
#include "watchdog/text_writer.h"

namespace lockwarden {
namespace {

constexpr size_t kLabels = 8;  // threads named in a group before "and N more"
constexpr size_t kRoots = 3;

bool WaitsForOthers(const PictureThread& thread) {
  return thread.waits_for_lock() || thread.wait.awaited == Awaited::kJoin;
}

std::string LabelOf(const PictureThread& thread) {
  FindingThread named;
  named.tid = thread.stack.tid;
  named.name = Printable(thread.stack.kernel.comm);
  return NameOf(named);
}

// Whom a thread waits for in the end: the last of a chain of owners; itself if there is none.
size_t RootOf(const ProcessPicture& picture, size_t thread) {
  std::set<size_t> seen;
  while (seen.insert(thread).second) {
    const PictureThread& waits = picture.threads[thread];
    if (waits.wait.owners.empty()) return thread;
    const auto owner = std::find_if(
        picture.threads.begin(), picture.threads.end(),
        [&](const PictureThread& t) { return t.stack.inside == waits.wait.owners[0]; });
    if (owner == picture.threads.end()) return thread;
    thread = static_cast<size_t>(owner - picture.threads.begin());
  }
  return thread;
}

// "3 threads wait, directly or through others, for thread 'a' (tid 7), which ..."
void WriteRoots(const ProcessPicture& picture, TextWriter* out) {
  std::map<size_t, size_t> waiters;
  for (size_t i = 0; i < picture.threads.size(); ++i) {
    const size_t root = RootOf(picture, i);
    if (root != i) ++waiters[root];
  }
  std::vector<std::pair<size_t, size_t>> most;  // waiters, root
  for (const auto& [root, count] : waiters) most.push_back({count, root});
  std::sort(most.rbegin(), most.rend());
  for (size_t i = 0; i < std::min(kRoots, most.size()); ++i) {
    const PictureThread& root = picture.threads[most[i].second];
    const bool one = most[i].first == 1;
    out->Line(
        2, absl::StrCat(Counted(most[i].first, "thread"), one ? " waits" : " wait",
                        " in the end for ", LabelOf(root), ", which ", Printable(root.doing), "."));
  }
}

void WriteHeadline(const Inspection& inspection, TextWriter* out) {
  const ProcessPicture& picture = inspection.picture;
  const std::string of = absl::StrCat(" (pid ", picture.pid, ")");
  const size_t waiting = static_cast<size_t>(
      std::count_if(picture.threads.begin(), picture.threads.end(), WaitsForOthers));
  const std::string counts =
      absl::StrCat(Counted(picture.threads.size(), "thread"), ", ", waiting,
                   waiting == 1 ? " waits" : " wait", " for locks or other threads");
  switch (inspection.verdict) {
    case Inspection::Verdict::kDeadlock:
      return;  // the findings say so
    case Inspection::Verdict::kUnknown:
      out->Line(0, absl::StrCat("lockwarden: ", out->Paint(Ink::kWarning, "CANNOT LOOK"), ": ",
                                inspection.access.why, of));
      if (!inspection.access.help.empty()) out->Line(2, inspection.access.help);
      return;
    case Inspection::Verdict::kAsleep:
      out->Line(0, absl::StrCat("lockwarden: ", out->Paint(Ink::kWarning, "ALL ASLEEP"), ": ",
                                counts, of));
      out->Line(2, absl::StrCat("Every thread waits for another one. Only what comes from outside "
                                "could wake them: ",
                                picture.wakes_anybody, "."));
      out->Line(2, "A program that idles until a signal looks like this, and one that hangs, too.");
      return;
    case Inspection::Verdict::kNotStuck:
      out->Line(0, absl::StrCat("lockwarden: NO DEADLOCK: ", counts, of));
      WriteRoots(picture, out);
      return;
  }
}

// What is not as good as can be about a stack.
std::string Remark(const ThreadStack& stack) {
  if (stack.method == StackMethod::kNone) {
    return stack.why.empty() ? "" : absl::StrCat("no stack: ", stack.why);
  }
  std::string remark;
  if (!stack.complete) remark = absl::StrCat("the stack may go on: ", stack.why);
  if (!stack.consistent) {
    absl::StrAppend(&remark, remark.empty() ? "" : "; ", "the thread moved while it was read");
  }
  return remark;
}

// The findings have shown these already, with their stacks.
std::set<uint32_t> ToldThreads(const Inspection& inspection) {
  std::set<uint32_t> told;
  for (const Finding& finding : inspection.findings) {
    for (const FindingThread& thread : finding.threads) {
      const bool here =
          thread.pid == 0 || thread.pid == static_cast<uint32_t>(inspection.picture.pid);
      if (here && thread.role != FindingThread::Role::kOther) told.insert(thread.tid);
    }
  }
  return told;
}

void WriteThreads(const Inspection& inspection, TextWriter* out) {
  const ProcessPicture& picture = inspection.picture;
  const std::set<uint32_t> told = ToldThreads(inspection);
  std::map<std::string, size_t> place;
  std::vector<std::vector<const PictureThread*>> groups;
  size_t count = 0;
  for (const PictureThread& thread : picture.threads) {
    if (told.contains(thread.stack.tid)) continue;
    ++count;
    std::string key = absl::StrCat(thread.doing, "\n", absl::StrJoin(thread.stack.pcs, " "), "\n",
                                   Remark(thread.stack));
    if (inspection.holds.contains(thread.stack.inside)) absl::StrAppend(&key, thread.stack.tid);
    const auto [entry, fresh] = place.try_emplace(key, groups.size());
    if (fresh) groups.emplace_back();
    groups[entry->second].push_back(&thread);
  }
  if (count == 0) return;
  if (inspection.verdict != Inspection::Verdict::kDeadlock) out->Blank();
  out->Line(
      0, out->Paint(Ink::kHeading,
                    absl::StrCat(told.empty() ? "all threads (" : "other threads (", count, ")")));
  for (const auto& group : groups) {
    const PictureThread& first = *group.front();
    std::vector<std::string> labels;
    for (size_t i = 0; i < std::min(kLabels, group.size()); ++i)
      labels.push_back(LabelOf(*group[i]));
    std::string line = absl::StrJoin(labels, ", ");
    if (group.size() > kLabels) absl::StrAppend(&line, " and ", group.size() - kLabels, " more");
    out->Line(0, absl::StrCat(out->Paint(Ink::kHeading, line), ": ", Printable(first.doing)));
    if (const auto holds = inspection.holds.find(first.stack.inside);
        holds != inspection.holds.end()) {
      for (const std::string& hold : holds->second) {
        out->Line(2, absl::StrCat("holds ", Printable(hold)));
      }
    }
    if (!first.stack.frames.empty()) {
      Finding carrier;
      carrier.threads.emplace_back();
      carrier.threads[0].stack = first.stack.frames;
      WriteFrames(PrintableCopy(carrier).threads[0].stack, 4, out);
    }
    if (const std::string remark = Remark(first.stack); !remark.empty()) {
      out->Line(4, out->Paint(Ink::kFaint, absl::StrCat("(", remark, ")")));
    }
  }
  if (picture.left_out != 0) {
    out->Line(0, absl::StrCat("and ", picture.left_out, " more threads that were not looked at"));
  }
}

// A finding has its own list.
void WriteLocks(const Inspection& inspection, TextWriter* out) {
  const ProcessPicture& picture = inspection.picture;
  if (picture.locks.empty() || !inspection.findings.empty()) return;
  out->Blank();
  out->Line(0, out->Paint(Ink::kHeading, "what they wait for"));
  for (const FindingLock& lock : picture.locks) {
    std::string line = out->Paint(Ink::kLock, Printable(lock.label));
    if (lock.address != 0) absl::StrAppendFormat(&line, " at %#x", lock.address);
    std::set<std::string> attributes;
    size_t waiters = 0;
    for (const PictureThread& thread : picture.threads) {
      if (!thread.waits_for_lock() || picture.locks[thread.lock].id != lock.id) continue;
      ++waiters;
      if (!thread.wait.attributes.empty() && lock.address != 0) {
        attributes.insert(Printable(thread.wait.attributes));
      }
    }
    for (const std::string& attribute : attributes) absl::StrAppend(&line, ", ", attribute);
    out->Line(2, absl::StrCat(line, ": ", Counted(waiters, "waiter")));
  }
}

// What ends a finding, where there is none.
void WriteReferences(const Inspection& inspection, TextWriter* out) {
  const ProcessPicture& picture = inspection.picture;
  out->Blank();
  if (!picture.program.empty()) out->Line(0, "program: " + Printable(picture.program));
  if (picture.time_ns != 0) out->Line(0, "time: " + FormatTime(picture.time_ns));
  if (!inspection.ledger.empty()) out->Line(0, inspection.ledger);
}

}  // namespace

std::string FormatInspection(const Inspection& inspection, const TextStyle& style) {
  TextWriter out(style.color);
  std::string text;
  for (const Finding& finding : inspection.findings) {
    absl::StrAppend(&text, FormatText(finding, style), "\n");
  }
  WriteHeadline(inspection, &out);
  WriteThreads(inspection, &out);
  WriteLocks(inspection, &out);
  if (inspection.findings.empty()) WriteReferences(inspection, &out);
  for (const std::string& note : inspection.picture.notes) out.Line(0, Printable(note));
  return text + out.text();
}

std::string FormatSummary(const std::vector<Inspection>& inspections, const TextStyle& style) {
  std::string text;
  size_t deadlocked = 0, closed = 0;
  TextWriter out(style.color);
  for (const Inspection& inspection : inspections) {
    const ProcessPicture& picture = inspection.picture;
    for (const Finding& finding : inspection.findings) {
      absl::StrAppend(&text, FormatText(finding, style), "\n");
    }
    const bool stuck = inspection.verdict == Inspection::Verdict::kDeadlock;
    deadlocked += stuck;
    closed += inspection.verdict == Inspection::Verdict::kUnknown;
    const size_t waiting = static_cast<size_t>(
        std::count_if(picture.threads.begin(), picture.threads.end(), WaitsForOthers));
    const char* verdict = stuck                                                  ? "DEADLOCK"
                          : inspection.verdict == Inspection::Verdict::kAsleep   ? "all asleep"
                          : inspection.verdict == Inspection::Verdict::kNotStuck ? "not stuck"
                                                                                 : "closed";
    std::string main;
    if (!picture.threads.empty()) main = Printable(picture.threads[0].doing);
    if (inspection.verdict == Inspection::Verdict::kUnknown) main = inspection.access.why;
    out.Line(0, absl::StrFormat("%8d  %-10s  %5d  %7d  %-20s  %s", picture.pid, verdict,
                                picture.threads.size(), waiting,
                                Printable(Basename(picture.program)), main));
  }
  absl::StrAppend(&text, "lockwarden: ", inspections.size(),
                  inspections.size() == 1 ? " process, " : " processes, ", deadlocked,
                  " deadlocked",
                  closed == 0 ? "" : absl::StrCat(", ", closed, " may not be looked into"), "\n\n");
  absl::StrAppendFormat(&text, "%8s  %-10s  %5s  %7s  %-20s  %s\n", "pid", "verdict", "tids",
                        "waiting", "program", "main thread");
  return text + out.text();
}

}  // namespace lockwarden
