// See stacks_text.h.
#include "watchdog/stacks_text.h"

#include <map>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "watchdog/finding_parts.h"
#include "watchdog/inspect/call_description.h"
#include "watchdog/printable.h"
#include "watchdog/report_threads.h"
#include "watchdog/text_writer.h"

namespace lockwarden {
namespace {

// By the tid that the process itself uses.
std::map<uint32_t, const ThreadInfo*> Recorded(const Snapshot& snapshot) {
  std::map<uint32_t, const ThreadInfo*> by_tid;
  for (const ThreadInfo& thread : snapshot.threads) {
    // The newest of a tid that was used again.
    const ThreadInfo*& known = by_tid[thread.tid];
    if (known == nullptr || known->serial < thread.serial) known = &thread;
  }
  return by_tid;
}

void WriteLocks(const FindingParts& parts, const ThreadInfo& thread, TextWriter* out) {
  for (const Wait& wait : thread.waits) {
    const std::string place = PlaceInBrackets("wanted", parts.Stack(wait.stack, wait.site));
    out->Line(2, Printable(wait.mode == ledger::Mode::kJoin
                               ? absl::StrCat("waits for another thread to end", place)
                               : absl::StrCat("waits for ", parts.Lock(wait.lock).label, place)));
  }
  for (const HeldLock& held : thread.held) {
    out->Line(2, Printable(absl::StrCat(
                     "holds ", parts.Lock(held.lock).label,
                     PlaceInBrackets("taken", parts.Stack(held.stack, held.site)))));
  }
}

void WriteThread(const ThreadStack& stack, TextWriter* out) {
  std::vector<std::string> words = {
      absl::StrCat("state ", std::string(1, stack.kernel.state)),
      DescribeCallAlone(stack.kernel),
      absl::StrCat("stack by method ", StackMethodName(stack.method),
                   stack.consistent ? ", consistent" : ", not consistent",
                   stack.complete ? "" : ", incomplete"),
  };
  std::erase(words, "");
  out->Line(0, absl::StrCat("thread '", Printable(stack.kernel.comm), "' (tid ", stack.tid, "): ",
                            absl::StrJoin(words, "; ")));
  if (!stack.why.empty()) out->Line(2, stack.why);
}

// What the program named can forge no line.
StackTrace PrintableFrames(StackTrace frames) {
  for (StackFrame& frame : frames) {
    for (std::string* text : {&frame.function, &frame.file, &frame.module}) {
      *text = Printable(*text);
    }
  }
  return frames;
}

}  // namespace

std::string StacksText(const JudgedProcess& process, const ProcessStacks& stacks) {
  TextWriter out(/*color=*/false);
  out.Line(0, absl::StrCat(Counted(stacks.threads.size(), "thread"), " of pid ", process.pid));
  if (!stacks.why_none.empty()) out.Line(0, stacks.why_none);
  if (stacks.left_out != 0) out.Line(0, absl::StrCat(stacks.left_out, " more are left out"));
  const auto recorded = Recorded(*process.snapshot);
  for (const ThreadStack& stack : stacks.threads) {
    out.Blank();
    WriteThread(stack, &out);
    if (const auto known = recorded.find(stack.inside); known != recorded.end()) {
      WriteLocks(*process.parts, *known->second, &out);
    }
    WriteFrames(PrintableFrames(stack.frames), 4, &out);
  }
  return out.text();
}

}  // namespace lockwarden
