// Folded stacks, the input of flame graph tools: one line a blocked thread, frames separated by
// semicolons from the outermost inwards, then a space and the weight in microseconds.
#include <map>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_replace.h"
#include "watchdog/frames.h"
#include "watchdog/printable.h"
#include "watchdog/report/formats.h"

namespace lockwarden {
namespace {

std::string FrameName(const StackFrame& frame) {
  if (!frame.function.empty()) return frame.function;
  if (frame.module.empty()) return absl::StrFormat("%#x", frame.pc);
  return absl::StrFormat("%s+%#x", Basename(frame.module), frame.module_offset);
}

// A semicolon in a name would begin a frame.
std::string Folded(const std::string& name) {
  return absl::StrReplaceAll(Printable(name), {{";", ":"}});
}

std::string WaitedFor(const Finding& finding, const FindingThread& thread) {
  if (thread.waits_mode == "join") return "[waits for a thread to end]";
  const bool known = thread.waits_for < finding.locks.size();
  return absl::StrCat("[waits for ", known ? finding.locks[thread.waits_for].label : "a lock", "]");
}

}  // namespace

std::string FormatFolded(absl::Span<const Finding> findings) {
  std::map<std::string, uint64_t> weights;
  for (const Finding& finding : findings) {
    for (const FindingThread& thread : finding.threads) {
      if (!thread.waits || !(thread.blocked_seconds > 0)) continue;
      std::string line = Folded(Basename(finding.program));
      const StackTrace frames = VisibleFrames(thread.stack);
      for (auto frame = frames.rbegin(); frame != frames.rend(); ++frame) {
        absl::StrAppend(&line, ";", Folded(FrameName(*frame)));
      }
      absl::StrAppend(&line, ";", Folded(WaitedFor(finding, thread)));
      weights[line] += static_cast<uint64_t>(std::min(thread.blocked_seconds, 1e9) * 1e6);
    }
  }
  std::string text;
  for (const auto& [line, weight] : weights) absl::StrAppend(&text, line, " ", weight, "\n");
  return text;
}

}  // namespace lockwarden
