// "A handler takes X; so does f, which it may interrupt."
#include "watchdog/signal_lock_watch.h"

#include <algorithm>
#include <bit>
#include <cstring>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

namespace lockwarden {
namespace {

constexpr uint64_t kHeldBack = 2'000'000'000;      // nanoseconds
constexpr uint64_t kAskedWithin = 10'000'000'000;  // the same
constexpr size_t kSignalsNamed = 4;
constexpr uint64_t kLibcsOwn = uint64_t{3} << 31;  // 32 and 33: cancellation, setuid of all threads

std::string SignalName(int number) {
  const char* name = sigabbrev_np(number);
  return name == nullptr ? absl::StrCat("signal ", number) : absl::StrCat("SIG", name);
}

// "SIGUSR1, SIGALRM"; empty where that would not help.
std::string SignalNames(std::optional<uint64_t> caught) {
  if (!caught.has_value()) return "";
  const uint64_t signals = *caught & ~kLibcsOwn;
  const size_t count = static_cast<size_t>(std::popcount(signals));
  if (count == 0 || count > kSignalsNamed) return "";
  std::vector<std::string> names;
  for (int number = 1; number <= 64; ++number) {
    if ((signals >> (number - 1) & 1) != 0) names.push_back(SignalName(number));
  }
  return absl::StrJoin(names, ", ");
}

Finding SignalLockFinding(const FindingParts& parts, const MisuseInfo& taken, const LockInfo& lock,
                          const std::string& handler, std::optional<uint64_t> caught,
                          uint64_t now_ns) {
  Finding finding = parts.Begin(FindingKind::kSignalUnsafeLock,
                                taken.time_ns != 0 ? taken.time_ns : now_ns);
  const bool open = lock.plain_mask == ledger::kPlainOpen;
  finding.confidence = open ? Confidence::kLikely : Confidence::kPossible;
  FindingThread thread = parts.Thread(taken.thread_serial);
  const size_t at = parts.AddLock(&finding, taken.lock);
  const std::string label = finding.locks[at].label;
  thread.stack = parts.Stack(taken.stack, taken.site);
  thread.waits = true;
  thread.waits_for = at;
  thread.waits_mode = ModeName(taken.mode);
  thread.holds.push_back({at, ModeName(lock.plain_shared ? ledger::Mode::kShared
                                                         : ledger::Mode::kExclusive),
                          false, parts.Stack(lock.plain_stack, 0)});
  finding.headline =
      absl::StrCat("LOCK IN SIGNAL HANDLER: ", handler, " takes ", label,
                   ", and so does code that it may interrupt");
  finding.story.push_back(absl::StrCat(
      "The signal handler ", handler, " takes ", label, PlaceInBrackets("taken", thread.stack),
      " in ", NameOf(thread), ". Code outside handlers takes it as well",
      PlaceInBrackets("taken", thread.holds[0].stack), "."));
  finding.story.push_back(absl::StrCat(
      "If the signal comes while its thread holds ", label,
      ", the handler waits for ever for the code that it has interrupted."));
  finding.threads.push_back(std::move(thread));
  finding.evidence.push_back("both were seen, the handler by the kernel's frame on its stack");
  // What is blocked in the handler, if it is little.
  const std::string handled =
      SignalNames(taken.blocked == 0 ? std::nullopt : std::optional(taken.blocked));
  if (open) {
    finding.evidence.push_back(absl::StrCat("the other code had not blocked ",
                                            handled.empty() ? "the handler's signal" : handled,
                                            " when it took the lock"));
  } else if (lock.plain_mask == ledger::kPlainDoubtful) {
    finding.evidence.push_back(
        "the other code had some signals blocked; whether the handler's is "
        "among them is not known");
  } else {
    finding.evidence.push_back(
        "whether the other code blocks the signal while it holds the lock, "
        "or runs in threads that the signal cannot reach, is not known");
  }
  if (const std::string names = SignalNames(caught); !names.empty()) {
    finding.evidence.push_back(absl::StrCat("signals that the process has handlers for: ", names));
  }
  if (taken.count > 1) finding.evidence.push_back(absl::StrCat("seen ", taken.count, " times so far"));
  finding.advice.push_back("In a handler call only what is async-signal-safe: set a flag, write to a "
                           "pipe or post a semaphore (sem_post), and do the work in a thread; or "
                           "block the signal (pthread_sigmask) wherever the lock is held.");
  return finding;
}

}  // namespace

std::string HandlerOf(const FindingParts& parts, uint32_t stack) {
  const std::vector<uint64_t> pcs = parts.reader().Stack(stack);
  if (pcs.size() < 2) return "a handler";
  const StackTrace trace = parts.Stack(stack, 0);
  // The outermost of what is inlined at the handler's own return address.
  const auto handler = std::find_if(trace.rbegin(), trace.rend(), [&](const StackFrame& frame) {
    return frame.pc == pcs[pcs.size() - 2];
  });
  if (handler == trace.rend()) return "a handler";
  return handler->function.empty() ? Place({*handler}) : handler->function;
}

void SignalLockWatch::Add(const MisuseInfo& taken, uint64_t now_ns) {
  if (taken.lock.index != ledger::kNoIndex) pending_.push_back({taken, now_ns});
}

bool SignalLockWatch::Conflicts(const MisuseInfo& taken, const LockInfo& lock) const {
  if ((lock.flags & (ledger::kRecursive | ledger::kErrorCheck)) != 0) return false;
  const bool both_read = lock.plain_shared && taken.mode == ledger::Mode::kShared;
  return !both_read;
}

void SignalLockWatch::Tell(const FindingParts& parts, std::optional<uint64_t> caught, Moment moment,
                           std::vector<Finding>* findings) {
  std::erase_if(pending_, [&](const Pending& pending) {
    const LockInfo lock = reader_->Lock(pending.taken.lock);
    // Of a life that is over, and that was followed by another, nothing more will be known.
    if (lock.kind == ledger::LockKind::kNone || (!lock.alive && lock.serial == 0)) return true;
    if (covered_.contains(pending.taken.lock)) return true;
    const bool blocked = lock.plain_mask == ledger::kPlainBlocked;
    if (lock.plain_stack == 0 || blocked || !Conflicts(pending.taken, lock)) return !lock.alive;
    // That code may come by again, and then it is asked what it blocks.
    const bool may_be_asked = lock.plain_mask == 0 && lock.alive && !moment.last;
    const uint64_t waited_ns = moment.now_ns - pending.since_ns;
    if (moment.hold && waited_ns < kHeldBack) return false;
    if (may_be_asked && waited_ns < kAskedWithin) return false;
    const std::string handler = HandlerOf(parts, pending.taken.stack);
    if (told_.insert({lock.lock_class, handler}).second) {
      findings->push_back(
          SignalLockFinding(parts, pending.taken, lock, handler, caught, moment.now_ns));
    }
    return true;
  });
}

}  // namespace lockwarden
