// See report_threads.h.
#include "watchdog/report_threads.h"

#include <algorithm>
#include <map>
#include <set>
#include <vector>

#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "watchdog/finding_parts.h"
#include "watchdog/frames.h"

namespace lockwarden {
namespace {

constexpr size_t kMaxFrames = 64;
constexpr size_t kMaxFunction = 100;  // characters; longer ones lose their template arguments
constexpr size_t kMaxLabels = 8;      // threads named in a group before "and N more"

std::string LockLabel(const Finding& finding, size_t index) {
  if (index >= finding.locks.size()) return "an unknown lock";
  const FindingLock& lock = finding.locks[index];
  return lock.label.empty() ? absl::StrCat("lock ", lock.id) : lock.label;
}

bool IsReadWrite(const Finding& finding, size_t index) {
  if (index >= finding.locks.size()) return false;
  return finding.locks[index].kind.find("rwlock") != std::string::npos ||
         finding.locks[index].kind.find("shared") != std::string::npos;
}

bool IsPrediction(const Finding& finding) {
  return finding.kind == FindingKind::kPotentialDeadlock ||
         finding.kind == FindingKind::kSignalUnsafeLock ||
         finding.kind == FindingKind::kOrderViolation;
}

// "map<int, vector<int>>::insert" -> "map<...>::insert", for names too long to read.
std::string ShortFunction(const std::string& function) {
  if (function.size() <= kMaxFunction) return function;
  std::string result;
  int depth = 0;
  for (size_t i = 0; i < function.size(); ++i) {
    const bool arrow = i > 0 && function[i] == '>' && function[i - 1] == '-';
    if (function[i] == '<' && depth++ == 0) result += "<...";
    if (function[i] == '>' && !arrow && depth > 0) --depth;
    if (depth == 0) result += function[i];
  }
  return depth == 0 ? result : function;
}

// The build id's first digits are enough to recognise it; the whole is at the end.
std::string ModulePlace(const StackFrame& frame) {
  std::string place =
      absl::StrFormat("in %s+%#x", Basename(frame.module), frame.module_offset);
  if (frame.function.empty() && !frame.build_id.empty()) {
    absl::StrAppend(&place, " (build id ", frame.build_id.substr(0, 8), "...)");
  }
  return place;
}

std::string FrameText(const StackFrame& frame) {
  std::vector<std::string> words;
  if (!frame.function.empty()) words.push_back(ShortFunction(frame.function));
  if (!frame.file.empty()) {
    words.push_back(absl::StrCat(frame.file, ":", frame.line));
  } else if (!frame.module.empty()) {
    words.push_back(ModulePlace(frame));
  } else if (frame.function.empty()) {
    words.push_back(absl::StrFormat("%#x in no known module", frame.pc));
  }
  if (frame.inlined) words.push_back("[inlined]");
  return absl::StrJoin(words, " ");
}

void WriteStack(const StackTrace& stack, size_t indent, TextWriter* out) {
  const StackTrace frames = VisibleFrames(stack);
  if (frames.empty()) out->Line(indent, out->Paint(Ink::kFaint, "(no stack was recorded)"));
  for (size_t i = 0; i < frames.size() && i < kMaxFrames; ++i) {
    const std::string line = absl::StrCat("#", i, " ", FrameText(frames[i]));
    out->Line(indent, IsUserFrame(frames[i]) ? line : out->Paint(Ink::kFaint, line));
  }
  if (frames.size() > kMaxFrames) {
    out->Line(indent, absl::StrCat("... and ", frames.size() - kMaxFrames, " more frames"));
  }
}

// "mutex 2", "a signal on condition 3", "thread 7 to end": what follows "waits for".
std::string WaitObject(const Finding& finding, const FindingThread& thread,
                       const TextWriter& out) {
  if (thread.waits_mode == "join") {
    return thread.joins_tid == 0 ? "another thread to end"
                                 : absl::StrCat("thread (tid ", thread.joins_tid, ") to end");
  }
  const std::string lock = out.Paint(Ink::kLock, LockLabel(finding, thread.waits_for));
  const bool is_known = thread.waits_for < finding.locks.size();
  const std::string kind = is_known ? finding.locks[thread.waits_for].kind : "";
  if (kind == "queue" || kind == "event") return lock;
  if (thread.waits_mode == "signal") return "a signal on " + lock;
  if (thread.waits_mode == "arrive") return "the others at " + lock;
  if (thread.waits_mode == "unit") return "a unit of " + lock;
  if (thread.waits_mode == "unowned") return "a wake-up on the " + lock;
  if (!IsReadWrite(finding, thread.waits_for)) return lock;
  return absl::StrCat(lock, thread.waits_mode == "shared" ? " (to read)" : " (to write)");
}

std::string HoldObject(const Finding& finding, const FindingHold& hold, const TextWriter& out) {
  const std::string lock = out.Paint(Ink::kLock, LockLabel(finding, hold.lock));
  if (hold.mode == "unit") return "a unit of " + lock;
  if (!IsReadWrite(finding, hold.lock)) return lock;
  return absl::StrCat(lock, hold.mode == "shared" ? " (to read)" : " (to write)");
}

// Locks that a thread of the finding waits for: the ones whose holders matter.
std::set<size_t> WantedLocks(const Finding& finding) {
  std::set<size_t> wanted;
  for (const FindingThread& thread : finding.threads) {
    if (thread.waits && thread.waits_mode != "join") wanted.insert(thread.waits_for);
  }
  return wanted;
}

std::string Blocked(const FindingThread& thread) {
  if (thread.blocked_seconds <= 0) return "";
  return absl::StrFormat(", blocked for %.1f s", thread.blocked_seconds);
}

void WriteWait(const Finding& finding, const FindingThread& thread, TextWriter* out) {
  if (thread.waits) {
    const char* limit = thread.timed ? ", with a time limit," : "";
    const bool takes = IsPrediction(finding) && thread.waits_mode != "join";
    out->Line(2, absl::StrCat(takes ? "takes " : "waits for ", WaitObject(finding, thread, *out),
                              limit, " here:"));
  } else {
    if (thread.stack.empty()) return;
    out->Line(2, "here:");
  }
  WriteStack(thread.stack, 4, out);
}

void WriteHolds(const Finding& finding, const FindingThread& thread,
                const std::set<size_t>& wanted, TextWriter* out) {
  const char* holds = IsPrediction(finding) ? "while it holds " : "holds ";
  std::vector<std::string> further;
  for (const FindingHold& hold : thread.holds) {
    const std::string object = HoldObject(finding, hold, *out);
    if (!wanted.empty() && wanted.count(hold.lock) == 0) {
      const StackTrace frames = VisibleFrames(hold.stack);
      const auto user = std::find_if(frames.begin(), frames.end(), IsUserFrame);
      const bool known = user != frames.end();
      further.push_back(known ? absl::StrCat(object, ", taken at ", FrameText(*user)) : object);
      continue;
    }
    if (hold.stack.empty()) {
      out->Line(2, absl::StrCat(holds, object, "; where it took it was not recorded"));
      continue;
    }
    out->Line(2, absl::StrCat(holds, object, hold.inferred ? " (inferred)" : "", ", taken here:"));
    WriteStack(hold.stack, 4, out);
  }
  if (!further.empty()) out->Line(2, "also holds:");
  for (const std::string& line : further) out->Line(4, line);
}

std::string Count(size_t n, const char* noun) {
  return absl::StrCat(n, " ", noun, n == 1 ? "" : "s");
}

std::string Labels(const std::vector<const FindingThread*>& threads) {
  std::vector<std::string> labels;
  for (const FindingThread* thread : threads) {
    if (labels.size() < kMaxLabels) labels.push_back(NameOf(*thread));
  }
  std::string text = absl::StrJoin(labels, ", ");
  if (threads.size() > kMaxLabels) {
    absl::StrAppend(&text, " and ", threads.size() - kMaxLabels, " more");
  }
  return text;
}

std::vector<const FindingThread*> WithRole(const Finding& finding, FindingThread::Role role) {
  std::vector<const FindingThread*> threads;
  for (const FindingThread& thread : finding.threads) {
    if (thread.role == role) threads.push_back(&thread);
  }
  return threads;
}

// Groups in the order of their first thread.
template <class Key>
std::vector<std::vector<const FindingThread*>> GroupBy(
    const std::vector<const FindingThread*>& threads, Key key) {
  std::map<std::string, size_t> place;
  std::vector<std::vector<const FindingThread*>> groups;
  for (const FindingThread* thread : threads) {
    const auto [entry, fresh] = place.try_emplace(key(*thread), groups.size());
    if (fresh) groups.emplace_back();
    groups[entry->second].push_back(thread);
  }
  return groups;
}

}  // namespace

std::string CycleLine(const Finding& finding) {
  std::vector<std::string> steps;
  for (const size_t index : finding.cycle) {
    if (index >= finding.threads.size()) return "";
    const FindingThread& thread = finding.threads[index];
    steps.push_back(NameOf(thread));
    const bool names_lock = thread.waits && thread.waits_mode != "join";
    if (names_lock) steps.push_back(LockLabel(finding, thread.waits_for));
  }
  if (steps.empty()) return "";
  steps.push_back(steps.front());
  return absl::StrJoin(steps, " -> ");
}

void WriteMainThreads(const Finding& finding, TextWriter* out) {
  std::vector<const FindingThread*> threads;
  for (const size_t index : finding.cycle) {
    if (index < finding.threads.size()) threads.push_back(&finding.threads[index]);
  }
  for (const FindingThread* thread : WithRole(finding, FindingThread::Role::kInCycle)) {
    if (std::find(threads.begin(), threads.end(), thread) == threads.end()) {
      threads.push_back(thread);
    }
  }
  const std::set<size_t> wanted = WantedLocks(finding);
  for (const FindingThread* thread : threads) {
    out->Blank();
    out->Line(0, out->Paint(Ink::kHeading, NameOf(*thread)) + Blocked(*thread));
    WriteWait(finding, *thread, out);
    WriteHolds(finding, *thread, wanted, out);
  }
}

void WriteThreadsBehind(const Finding& finding, TextWriter* out) {
  const auto threads = WithRole(finding, FindingThread::Role::kBehind);
  if (threads.empty()) return;
  out->Blank();
  out->Line(0, out->Paint(Ink::kHeading, absl::StrCat("stuck behind them: ",
                                                      Count(threads.size(), "thread"))));
  const TextWriter plain(/*color=*/false);
  const auto groups = GroupBy(threads, [&](const FindingThread& thread) {
    std::string key = thread.waits ? WaitObject(finding, thread, plain) : "";
    for (const StackFrame& frame : thread.stack) absl::StrAppend(&key, "\n", frame.pc);
    // What it holds is told of each one.
    if (!thread.holds.empty()) absl::StrAppend(&key, "\n#", thread.serial, ":", thread.tid);
    return key;
  });
  for (const auto& group : groups) {
    const std::string blocked = group.size() == 1 ? Blocked(*group.front()) : "";
    out->Line(0, Labels(group) + blocked);
    WriteWait(finding, *group.front(), out);
    WriteHolds(finding, *group.front(), WantedLocks(finding), out);
  }
}

void WriteOtherThreads(const Finding& finding, TextWriter* out) {
  const auto threads = WithRole(finding, FindingThread::Role::kOther);
  if (threads.empty()) return;
  out->Blank();
  out->Line(0, out->Paint(Ink::kHeading, absl::StrCat("not involved: ",
                                                      Count(threads.size(), "other thread"))));
  const auto activity = [&](const FindingThread& thread) {
    return thread.waits ? "waiting for " + WaitObject(finding, thread, *out)
                        : std::string("not waiting for a lock");
  };
  for (const auto& group : GroupBy(threads, activity)) {
    out->Line(2, absl::StrCat(activity(*group.front()), ": ", Labels(group)));
  }
}

void WriteFrames(const StackTrace& stack, size_t indent, TextWriter* out) {
  WriteStack(stack, indent, out);
}

}  // namespace lockwarden
