// See stall_finding.h.
#include "watchdog/stall_finding.h"

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"

namespace lockwarden {
namespace {

// "2.3s", to the millisecond.
std::string Spoken(uint64_t ns) {
  return absl::FormatDuration(
      absl::Trunc(absl::Nanoseconds(static_cast<int64_t>(ns)), absl::Milliseconds(1)));
}

std::string AdviceOf(StallKind kind) {
  switch (kind) {
    case StallKind::kLock:
      return "See what the holder does: it should hold the lock for less, or the deadline "
             "should allow for it.";
    case StallKind::kSystemCall:
      return "If the wait is for work that may not come, call idle() before it; if not, give it "
             "a time limit below the deadline.";
    case StallKind::kRunning:
      return "Beat inside the long computation, or give it a deadline of its own (HeartbeatScope).";
    case StallKind::kStarved:
      return "The machine has fewer processors than busy threads: see its load.";
    case StallKind::kThrottled:
      return "Raise the control group's cpu.max, or use fewer threads.";
    case StallKind::kUninterruptible:
      return "A disk or a network file system does not answer: see the kernel's log.";
    case StallKind::kEnded:
      return "Stop the heartbeat where its thread ends.";
    case StallKind::kStopped:
    case StallKind::kUnknown:
      break;
  }
  return "See the process's threads.";
}

// The stalled thread, and whoever holds what it waits for. Returns the wait in words.
std::string AddThreads(const FindingParts& parts, const Snapshot& snapshot, const ThreadInfo& info,
                       bool waits, uint64_t since_ns, uint64_t now_ns, Finding* finding) {
  FindingThread thread = parts.Thread(info);
  const Wait* wait = waits && !info.waits.empty() ? &info.waits.back() : nullptr;
  for (const HeldLock& held : info.held) {
    const size_t lock = parts.AddLock(finding, held.lock);
    thread.holds.push_back({lock, ModeName(held.mode), false, parts.Stack(held.stack, held.site)});
  }
  if (wait == nullptr) {
    finding->threads.push_back(std::move(thread));
    return "";
  }
  thread.waits = true;
  thread.waits_mode = ModeName(wait->mode);
  thread.timed = wait->timed;
  thread.stack = parts.Stack(wait->stack, wait->site);
  if (since_ns != 0 && since_ns < now_ns) {
    thread.blocked_seconds = static_cast<double>(now_ns - since_ns) / 1e9;
  }
  std::string words;
  const std::string place = PlaceInBrackets("wanted", thread.stack);
  if (wait->mode == ledger::Mode::kJoin) {
    finding->threads.push_back(std::move(thread));
    return absl::StrCat("waits for another thread to end", place);
  }
  thread.waits_for = parts.AddLock(finding, wait->lock);
  words = absl::StrCat("waits for ", wait->mode == ledger::Mode::kSignal ? "a signal on " : "",
                       finding->locks[thread.waits_for].label, place);
  const size_t lock = thread.waits_for;
  finding->threads.push_back(std::move(thread));
  for (const ThreadInfo& other : snapshot.threads) {
    for (const HeldLock& held : other.held) {
      if (held.lock != wait->lock || other.serial == info.serial) continue;
      FindingThread holder = parts.Thread(other);
      const StackTrace taken = parts.Stack(held.stack, held.site);
      absl::StrAppend(&words, ", which ", NameOf(holder), " holds",
                      PlaceInBrackets("taken", taken));
      holder.holds.push_back({lock, ModeName(held.mode), false, taken});
      finding->threads.push_back(std::move(holder));
    }
  }
  return words;
}

}  // namespace

Finding HeartbeatStall(const FindingParts& parts, const Snapshot& snapshot,
                       const HeartbeatInfo& heartbeat, const ThreadInfo* thread,
                       const StallCause& cause, uint64_t now_ns) {
  Finding finding = parts.Begin(FindingKind::kStall, now_ns);
  finding.confidence =
      cause.kind == StallKind::kUnknown ? Confidence::kStrong : Confidence::kProven;
  finding.heartbeat = heartbeat.name;
  finding.cause = StallKindName(cause.kind);
  const std::string what = absl::StrCat("heartbeat \"", heartbeat.name, "\"");
  std::string doing = cause.what, who = "its thread";
  if (thread != nullptr) {
    const uint64_t since_ns = thread->waits.empty() ? 0 : thread->waits.back().since_ns;
    const std::string wait = AddThreads(parts, snapshot, *thread, cause.kind == StallKind::kLock,
                                        since_ns, now_ns, &finding);
    if (!wait.empty()) doing = wait;
    who = NameOf(finding.threads[0]);
  }
  finding.headline = absl::StrCat("STALL: ", what, " has not beaten for ",
                                  Spoken(now_ns - heartbeat.last_ns), ": ", who, " ", cause.what);
  finding.story.push_back(absl::StrCat(Capitalized(what), " has not beaten for ",
                                       Spoken(now_ns - heartbeat.last_ns), "; its deadline is ",
                                       Spoken(heartbeat.deadline_ns), "."));
  finding.story.push_back(absl::StrCat(Capitalized(who), " ", doing, "."));
  finding.evidence.push_back(
      absl::StrCat("it had beaten ", heartbeat.beats, " times, ", heartbeat.late, " of them late"));
  finding.evidence.push_back("seen twice, and the watchdog had looked in time all along");
  finding.advice.push_back(AdviceOf(cause.kind));
  return finding;
}

Finding LongWait(const FindingParts& parts, const Snapshot& snapshot, const ThreadInfo& thread,
                 uint64_t since_ns, uint64_t limit_ns, uint64_t now_ns) {
  Finding finding = parts.Begin(FindingKind::kStall, now_ns);
  finding.confidence = Confidence::kProven;
  finding.cause = StallKindName(StallKind::kLock);
  const std::string wait =
      AddThreads(parts, snapshot, thread, /*waits=*/true, since_ns, now_ns, &finding);
  const FindingThread& waiter = finding.threads[0];
  finding.headline =
      absl::StrCat("STALL: ", NameOf(waiter), " has waited for ",
                   finding.locks[waiter.waits_for].label, " for ", Spoken(now_ns - since_ns));
  finding.story.push_back(absl::StrCat(Capitalized(NameOf(waiter)), " ", wait, ", for ",
                                       Spoken(now_ns - since_ns), " now; wait_limit is ",
                                       Spoken(limit_ns), "."));
  finding.evidence.push_back("the kernel saw it asleep in this wait");
  finding.advice.push_back(AdviceOf(StallKind::kLock));
  return finding;
}

}  // namespace lockwarden
