// The waiter first, then who is stuck behind it, and what was seen of the condition's signals.
#include "watchdog/condition_finding.h"

#include <algorithm>

#include "absl/strings/str_cat.h"

namespace lockwarden {
namespace {

constexpr size_t kThreadsTold = 64;

FindingThread Told(const FindingParts& parts, const ModelNode& node, Finding* finding) {
  FindingThread thread = parts.Thread(*node.thread);
  for (const HeldLock& held : node.thread->held) {
    if (held.inherited) continue;
    thread.holds.push_back({parts.AddLock(finding, held.lock), ModeName(held.mode),
                            held.mode == ledger::Mode::kUnit, parts.Stack(held.stack, held.site)});
  }
  const Wait& wait = *node.wait;
  thread.waits = true;
  thread.waits_mode = ModeName(wait.mode);
  thread.stack = parts.Stack(wait.stack, wait.site);
  if (wait.mode != ledger::Mode::kJoin) thread.waits_for = parts.AddLock(finding, wait.lock);
  return thread;
}

// "waits for mutex 7 (wanted at ...)" or "waits for thread 12 to end (...)".
std::string WaitOf(const Finding& finding, const FindingThread& thread) {
  if (thread.waits_mode == "join") {
    return absl::StrCat("waits for thread ", thread.joins_tid, " to end",
                        PlaceInBrackets("called", thread.stack));
  }
  return absl::StrCat("waits for ", finding.locks[thread.waits_for].label,
                      PlaceInBrackets("wanted", thread.stack));
}

}  // namespace

std::string UnheardSignals(const FindingParts& parts, const LockInfo& condition,
                           const std::string& label) {
  const SignalsSeen& signals = condition.signals;
  if (signals.heard || signals.unheard == 0) return "";
  return absl::StrCat(label, " was signalled ", Counted(signals.unheard, "time"),
                      PlaceInBrackets("last", parts.Stack(signals.unheard_stack, 0)),
                      ", each time while nobody waited for it, and never since");
}

Finding ConditionFinding(const FindingParts& parts, const WaitModel& model,
                         const SilentCondition& found, uint64_t now_ns) {
  Finding finding =
      parts.Begin(found.nested ? FindingKind::kNestedMonitor : FindingKind::kLostWakeup, now_ns);
  finding.confidence = found.nested ? Confidence::kLikely : Confidence::kPossible;
  const ModelNode& waiter = model.nodes[found.waiter];
  FindingThread main = Told(parts, waiter, &finding);
  if (waiter.wait->since_ns != 0 && waiter.wait->since_ns < now_ns) {
    main.blocked_seconds = static_cast<double>(now_ns - waiter.wait->since_ns) / 1e9;
  }
  const std::string condition = finding.locks[main.waits_for].label;
  const std::string waits = absl::StrCat(NameOf(main), " waits for a signal on ", condition);
  std::string story = absl::StrCat(Capitalized(waits), PlaceInBrackets("wanted", main.stack));
  for (const FindingHold& hold : main.holds) {
    absl::StrAppend(&story, &hold == &main.holds.front() ? " while it holds " : " and ",
                    finding.locks[hold.lock].label, PlaceInBrackets("taken", hold.stack));
  }
  finding.story.push_back(story + ".");
  finding.headline = absl::StrCat(
      found.nested ? "NESTED MONITOR: " : "LOST WAKE-UP: ", waits,
      found.nested ? ", holding what its signallers wait for" : ", and nobody is left to signal");
  finding.threads.push_back(std::move(main));

  std::vector<uint32_t> behind = found.signallers;
  for (uint32_t node : found.behind) {
    if (std::find(behind.begin(), behind.end(), node) == behind.end()) behind.push_back(node);
  }
  for (size_t i = 0; i < std::min(behind.size(), kThreadsTold); ++i) {
    const ModelNode& node = model.nodes[behind[i]];
    FindingThread thread = Told(parts, node, &finding);
    if (thread.waits_mode == "join" && !node.on.empty()) {
      thread.joins_tid = model.nodes[node.on[0]].tid;
    }
    const bool signals = i < found.signallers.size();
    thread.role = signals ? FindingThread::Role::kInCycle : FindingThread::Role::kBehind;
    if (signals) {
      finding.story.push_back(absl::StrCat(Capitalized(NameOf(thread)),
                                           ", which signalled it before, ", WaitOf(finding, thread),
                                           "."));
    }
    finding.threads.push_back(std::move(thread));
  }
  if (const size_t others = behind.size() - found.signallers.size(); others != 0) {
    finding.story.push_back(absl::StrCat(Counted(others, "more thread"),
                                         others == 1 ? " is" : " are", " stuck behind it."));
  }
  if (!found.nested) {
    const std::string unheard = UnheardSignals(parts, found.condition, condition);
    finding.story.push_back(Capitalized(unheard) + ".");
    for (uint32_t serial : found.condition.signals.by) {
      if (serial == 0 || serial == waiter.thread->serial) continue;
      finding.evidence.push_back(
          absl::StrCat(NameOf(parts.Thread(serial)), ", which signalled it, has ended"));
    }
    finding.evidence.push_back(
        "its mutex was taken no more often than once for each signal and each waiting thread: "
        "nobody looked in between at what the signal was about");
  } else {
    finding.evidence.push_back(
        "no other thread was ever seen to signal it; one that does so for the first time would "
        "end the wait");
  }
  finding.evidence.push_back(
      "collected twice and read once more after that: none of these threads has moved, and the "
      "kernel shows the waiting one asleep throughout, without a time limit");
  finding.advice.push_back(
      found.nested
          ? "Release the outer lock before waiting, or wait with it: a condition's wait releases "
            "its own mutex only."
          : "Change what the condition is about under its mutex, and test it under that mutex "
            "before waiting: a signal that nobody waits for is not kept.");
  return finding;
}

}  // namespace lockwarden
