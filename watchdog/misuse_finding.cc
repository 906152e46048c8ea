// What each sort of misuse means, in words.
#include "watchdog/misuse_finding.h"

#include <algorithm>

#include "absl/strings/str_cat.h"

namespace lockwarden {
namespace {

using ledger::MisuseKind;

struct Words {
  const char* name;
  const char* what;    // "thread 'a' (tid 1) <what> mutex 3"
  const char* other;   // " <other> thread 'b' (tid 2)"
  const char* advice;
};

Words WordsFor(MisuseKind kind) {
  switch (kind) {
    case MisuseKind::kUnlockNotOwner:
      return {"unlock_not_owner", "released", "which was held by",
              "Release a mutex in the thread that took it; to wake another thread use a "
              "semaphore or a condition."};
    case MisuseKind::kDestroyHeld:
      return {"destroy_held", "destroyed", "while it was held by",
              "Destroy a lock only after every thread has released it for good."};
    case MisuseKind::kRelock:
      return {"relock", "locked again, while holding it,", "held by",
              "Release it first, or use a recursive lock if the nesting is meant."};
    case MisuseKind::kExitHolding:
      return {"exit_holding", "ended while holding", "wanted by",
              "Release the lock on every way out of a thread; a guard object does."};
    case MisuseKind::kTwoMutexes:
      return {"two_mutexes", "waited with another mutex than others do on", "at the same time as",
              "Use one and the same mutex with a condition in all waits at a time."};
    case MisuseKind::kForkWhileHeld:
      return {"fork_while_held", "forked while another thread held", "held by",
              "In the child, call nothing that may lock before exec; or hold such locks over "
              "fork with pthread_atfork."};
    case MisuseKind::kInheritedHeld:
      return {"inherited_held", "waits in a forked child for", "held in the parent by",
              "In the child, call nothing that may lock before exec: the thread that holds it "
              "was not copied."};
    case MisuseKind::kOverrun:
      return {"unit_overrun", "released more units than it may have to", "beside",
              "Release a unit once, and only after acquiring it."};
    case MisuseKind::kOrderViolation:  // told by ViolationFinding; named here
      return {"order_violation", "took", "beside", "Follow the declared order."};
    case MisuseKind::kTakenInHandler:  // evidence, told by SignalLockWatch
    case MisuseKind::kNone: break;
  }
  return {"unknown", "misused", "beside", "Look at the stack."};
}

// By the kind of the lock itself, which may be gone: then not.
bool RefusesOthers(const LockInfo& lock) {
  constexpr uint32_t kRefusing = ledger::kRecursive | ledger::kErrorCheck | ledger::kRobust |
                                 ledger::kPriorityInherit;
  return lock.kind == ledger::LockKind::kMutex && (lock.flags & kRefusing) != 0;
}

struct Grade {
  Confidence confidence;
  const char* because;
};

// The recorder compares what it knows with the lock's own word before it notes anything.
Grade GradeOf(const MisuseInfo& misuse, const LockInfo& lock) {
  const bool shared = misuse.mode == ledger::Mode::kShared;
  switch (misuse.kind) {
    case MisuseKind::kUnlockNotOwner:
      if (IsOwnType(lock)) return {Confidence::kProven, "the lock refused it (std::system_error)"};
      if (RefusesOthers(lock)) return {Confidence::kProven, "the C library refused it (EPERM)"};
      if (shared) {
        return {Confidence::kLikely,
                "the lock counted as many readers as were recorded, and this thread was none"};
      }
      return {Confidence::kStrong,
              "the lock's own word named the other thread, as the records do"};
    case MisuseKind::kDestroyHeld:
      if (misuse.stack == 0) return {Confidence::kPossible, "not known: whether in exit()"};
      if (shared) return {Confidence::kLikely, "the lock counted readers; who they are is recorded"};
      return {Confidence::kStrong, "the lock's own word named the holder, as the records do"};
    case MisuseKind::kRelock:
      return {Confidence::kProven, "the lock refused it (std::system_error)"};
    case MisuseKind::kOverrun:
      return {Confidence::kProven, "the semaphore refused it (std::system_error)"};
    case MisuseKind::kTwoMutexes:
      return {Confidence::kLikely, "both waits were recorded; the other may just have been woken"};
    default:
      return {Confidence::kStrong, nullptr};
  }
}

bool IsExit(const std::string& function) {
  return function == "exit" || function == "quick_exit" || function == "__run_exit_handlers";
}

}  // namespace

bool IsOwnType(const LockInfo& lock) {
  return lock.kind == ledger::LockKind::kLock || lock.kind == ledger::LockKind::kRLock ||
         lock.kind == ledger::LockKind::kSharedLock;
}

const char* MisuseName(MisuseKind kind) { return WordsFor(kind).name; }

bool IsExcused(const FindingParts& parts, const MisuseInfo& misuse) {
  if (misuse.kind != MisuseKind::kDestroyHeld) return false;
  const StackTrace stack = parts.Stack(misuse.stack, misuse.site);
  return std::any_of(stack.begin(), stack.end(),
                     [](const StackFrame& frame) { return IsExit(frame.function); });
}

Finding MisuseFinding(const FindingParts& parts, const MisuseInfo& misuse, uint64_t now_ns) {
  const Words words = WordsFor(misuse.kind);
  Finding finding =
      parts.Begin(FindingKind::kMisuse, misuse.time_ns != 0 ? misuse.time_ns : now_ns);
  const bool has_lock = misuse.lock.index != ledger::kNoIndex;
  const Grade grade = GradeOf(misuse, has_lock ? parts.reader().Lock(misuse.lock) : LockInfo{});
  finding.confidence = grade.confidence;
  finding.misuse = words.name;
  FindingThread thread = parts.Thread(misuse.thread_serial);
  thread.stack = parts.Stack(misuse.stack, misuse.site);
  const size_t lock = has_lock ? parts.AddLock(&finding, misuse.lock) : 0;
  std::string sentence = absl::StrCat(NameOf(thread), " ", words.what, " ",
                                      has_lock ? finding.locks[lock].label : "a lock");
  const bool not_held = misuse.kind == MisuseKind::kUnlockNotOwner;
  finding.headline = absl::StrCat("MISUSE: ", sentence, not_held ? ", which it does not hold" : "");
  absl::StrAppend(&sentence, PlaceInBrackets("called", thread.stack));
  const bool waits = misuse.kind == MisuseKind::kTwoMutexes;
  const char* mode = misuse.mode == ledger::Mode::kShared ? "shared" : "exclusive";
  if (misuse.other_lock.index != ledger::kNoIndex) {
    const size_t other = parts.AddLock(&finding, misuse.other_lock);
    absl::StrAppend(&sentence, waits ? ", its own being " : ", the other being ",
                    finding.locks[other].label);
  }
  finding.threads.push_back(std::move(thread));
  if (misuse.other_serial == misuse.thread_serial && misuse.other_serial != 0) {
    const StackTrace taken = parts.Stack(misuse.other_stack, 0);
    absl::StrAppend(&sentence, ", ", words.other, " itself", PlaceInBrackets("taken", taken));
    if (has_lock) finding.threads[0].holds.push_back({lock, mode, false, taken});
  } else if (misuse.other_serial != 0) {
    FindingThread other = parts.Thread(misuse.other_serial);
    absl::StrAppend(&sentence, ", ", words.other, " ", NameOf(other));
    const StackTrace stack = parts.Stack(misuse.other_stack, 0);
    absl::StrAppend(&sentence, PlaceInBrackets(waits ? "called" : "taken", stack));
    if (waits || !has_lock) {
      other.stack = stack;
    } else {
      other.holds.push_back({lock, mode, false, stack});
    }
    finding.threads.push_back(std::move(other));
  }
  if (not_held && misuse.other_serial == 0) absl::StrAppend(&sentence, ", which it does not hold");
  finding.story.push_back(absl::StrCat(Capitalized(sentence), "."));
  finding.evidence.push_back("seen as it happened, in the call that did it");
  if (grade.because != nullptr) finding.evidence.push_back(grade.because);
  if (misuse.count > 1) {
    finding.evidence.push_back(absl::StrCat("seen ", misuse.count, " times so far"));
  }
  finding.advice.push_back(words.advice);
  return finding;
}

}  // namespace lockwarden
