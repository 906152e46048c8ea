// Looks at records of threads that are exiting, and asks who is really gone.
#include "watchdog/exit_watch.h"

#include <optional>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/str_cat.h"
#include "watchdog/lock_words.h"
#include "watchdog/misuse_finding.h"
#include "watchdog/thread_roster.h"

namespace lockwarden {
namespace {

// None: the lock word says that this thread does not hold it.
std::optional<Confidence> StillHolds(KernelView* kernel, const ThreadInfo& thread,
                                     const HeldLock& held, const LockInfo& lock) {
  const bool exclusive = held.mode == ledger::Mode::kExclusive;
  const LockWord word = ReadLockWord(kernel, lock);
  if (word.unreadable && !thread.joined) return std::nullopt;  // the process may be ending
  if (word.robust || (lock.flags & ledger::kRobust) != 0) return std::nullopt;
  switch (word.says) {
    case LockWord::Says::kNothing: return Confidence::kLikely;
    case LockWord::Says::kOwned:
      if (!exclusive || word.owner != thread.tid) return std::nullopt;
      return Confidence::kStrong;
    case LockWord::Says::kReaders:  // which readers these are, it does not say
      if (exclusive) return std::nullopt;
      return Confidence::kLikely;
    default: return std::nullopt;
  }
}

Finding ExitFinding(const FindingParts& parts, const ThreadInfo& info, const HeldLock& held,
                    Confidence confidence, uint64_t now_ns) {
  Finding finding = parts.Begin(FindingKind::kMisuse, now_ns);
  finding.confidence = confidence;
  finding.misuse = MisuseName(ledger::MisuseKind::kExitHolding);
  FindingThread thread = parts.Thread(info.serial);
  thread.stack = parts.Stack(info.exit_stack, 0);
  const size_t lock = parts.AddLock(&finding, held.lock);
  thread.holds.push_back({lock, ModeName(held.mode), false, parts.Stack(held.stack, held.site)});
  const std::string ended =
      absl::StrCat(NameOf(thread), " ended while holding ", finding.locks[lock].label);
  finding.headline = absl::StrCat("MISUSE: ", ended);
  finding.story.push_back(absl::StrCat(
      Capitalized(ended), PlaceInBrackets("taken", thread.holds[0].stack),
      thread.stack.empty() ? "" : absl::StrCat(", by pthread_exit",
                                               PlaceInBrackets("called", thread.stack)),
      ": nobody is left to release it."));
  finding.threads.push_back(std::move(thread));
  finding.evidence.push_back(info.joined ? "the thread was joined"
                                         : "the kernel no longer knows the thread");
  finding.evidence.push_back(confidence == Confidence::kStrong
                                 ? "the lock word still names it"
                                 : "the lock word does not say who holds it, or could not be read");
  finding.advice.push_back("Release the lock on every way out of a thread, also by cancellation "
                           "and pthread_exit; a guard object or a cleanup handler does.");
  return finding;
}

}  // namespace

void ExitWatch::Look(const Snapshot& snapshot, const FindingParts& parts, uint64_t now_ns,
                     bool last, std::vector<Finding>* findings) {
  std::optional<ThreadRoster> roster;
  std::optional<absl::flat_hash_map<uint32_t, uint32_t>> newest;  // serial, by tid
  for (const ThreadInfo& thread : snapshot.threads) {
    if (thread.state != ledger::ThreadState::kExiting || thread.torn || thread.exempt) continue;
    for (const HeldLock& held : thread.held) {
      if (held.inherited || held.mode == ledger::Mode::kUnit) continue;
      if (told_.contains({thread.serial, held.lock}) || (last && !thread.joined)) continue;
      const LockInfo lock = reader_->Lock(held.lock);
      if (!lock.alive) continue;
      // Other threads release it: perhaps this hold, too.
      if (lock.foreign_releases != 0) continue;
      if (!roster.has_value()) {
        roster.emplace(kernel_, snapshot.process.ledger_pid);
        newest.emplace();
        for (const ThreadInfo& other : snapshot.threads) {
          uint32_t& serial = (*newest)[other.tid];
          if (serial < other.serial) serial = other.serial;
        }
      }
      // A newer thread with the same tid: the kernel has given it to somebody else.
      const bool gone = thread.joined || (*newest)[thread.tid] != thread.serial ||
                        roster->IsGone(thread.tid);
      if (!gone) break;
      // A process that ends takes its threads along wherever they are: not told at first
      // sight, unless it was joined before.
      if (!thread.joined && seen_.insert({thread.serial, held.lock}).second) continue;
      const auto confidence = StillHolds(kernel_, thread, held, lock);
      if (!confidence.has_value()) continue;
      told_.insert({thread.serial, held.lock});
      findings->push_back(ExitFinding(parts, thread, held, *confidence, now_ns));
    }
  }
}

}  // namespace lockwarden
