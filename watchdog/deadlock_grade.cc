// One missing witness makes `strong` of `proven`, two make `likely`.
#include "watchdog/deadlock_grade.h"

#include <algorithm>
#include <csignal>

#include "absl/strings/str_cat.h"

namespace lockwarden {
namespace {

using ledger::LockKind;

bool HasWordLayout(LockKind kind) {
  return kind == LockKind::kMutex || kind == LockKind::kRwLock || kind == LockKind::kLock ||
         kind == LockKind::kRLock || kind == LockKind::kSharedLock ||
         kind == LockKind::kSemaphore || kind == LockKind::kSpin || kind == LockKind::kOnce || kind == LockKind::kGuard;
}

}  // namespace

void Grade(const WaitModel& model, bool inferred, uint64_t confirm_after_ns, Deadlock* deadlock) {
  int without_word = 0, without_kernel = 0, by_word_only = 0, partly = 0, asked_words = 0;
  int spinning = 0, annotated = 0, unnamed = 0, files = 0;
  bool strong_at_most = deadlock->shape != Deadlock::Shape::kCycle || deadlock->everyone_asleep;
  for (uint32_t i : deadlock->core) {
    const ModelNode& node = model.nodes[i];
    if (node.kernel == KernelSays::kSpins) {
      ++spinning;
    } else if (node.kernel == KernelSays::kAnnotated) {
      ++annotated;
    } else if (node.kernel != KernelSays::kAgrees) {
      ++without_kernel;
    }
    if (node.mode == ledger::Mode::kJoin || node.need == Need::kAnyone) continue;
    if (node.lock.kind == LockKind::kFileLock) {  // the kernel names its holders
      ++files;
      continue;
    }
    ++asked_words;
    if (!HasWordLayout(node.lock.kind) || node.word.unreadable) {
      ++without_word;
    } else if (node.behind_writer) {
      continue;  // the word says that a writer waits; who that is, the ledger
    } else if (std::any_of(node.holders.begin(), node.holders.end(),
                           [](const Holder& holder) { return holder.hold == nullptr; })) {
      ++by_word_only;
    } else if (node.word.says == LockWord::Says::kHeld) {
      ++unnamed;
    } else if (!node.word_agrees) {
      ++partly;
    }
  }
  std::vector<std::string>& evidence = deadlock->evidence;
  evidence.push_back(absl::StrCat("collected twice, at least ", confirm_after_ns / 1'000'000,
                                  " ms apart, and read once more after that: nothing moved"));
  if (asked_words > 0 && without_word + by_word_only + partly + unnamed == 0) {
    evidence.push_back("the lock words name the same holders");
  }
  if (without_word > 0) {
    evidence.push_back("some lock words could not be read, or have no known layout");
  }
  if (by_word_only > 0) {
    evidence.push_back("some holds were not recorded: only the lock word names the holder");
  }
  if (partly > 0) evidence.push_back("more readers hold the lock than were recorded");
  if (unnamed > 0) {
    evidence.push_back(
        "some lock words say that the lock is taken, but have no room for its owner");
  }
  if (spinning > 0) {
    evidence.push_back(absl::StrCat(
        spinning == 1 ? "one of these threads spins" : "some of these threads spin",
        ": Lockwarden's own loop, whose counter moved between the looks"));
  }
  if (annotated > 0) {
    evidence.push_back("the program says that it waits for a lock of its own making; the kernel "
                       "does not see that");
  }
  if (without_kernel > 0) {
    evidence.push_back("the kernel would not say what some of them wait in; they sleep, and have "
                       "not run in between");
  } else if (spinning + annotated == 0 && files > 0) {
    evidence.push_back("the kernel shows every one of these threads asleep, without a time limit, "
                       "in a wait for that very lock");
  } else if (spinning + annotated == 0) {
    evidence.push_back("the kernel shows every one of these threads asleep in a futex wait without "
                       "a time limit on that very object");
  } else if (static_cast<size_t>(spinning + annotated) < deadlock->core.size()) {
    evidence.push_back("the kernel shows the others asleep, without a time limit, in a wait for "
                       "that very object");
  }
  const bool by_helpers = std::any_of(deadlock->core.begin(), deadlock->core.end(),
                                      [&](uint32_t i) { return ByHelpers(model.nodes[i]); });
  const bool by_units = std::any_of(deadlock->core.begin(), deadlock->core.end(), [&](uint32_t i) {
    return model.nodes[i].lock.kind == LockKind::kSemaphore;
  });
  if (inferred && by_units) {
    evidence.push_back(
        "a semaphore has no owner: who took a unit and has not posted since is taken for its "
        "holder");
  }
  if (inferred && by_helpers) {
    evidence.push_back(
        "nobody holds a queue, a barrier or an event: those who were seen to end "
        "waits for it are taken for all who could, and each of them is stuck");
  }
  if (deadlock->everyone_asleep) {
    evidence.push_back(
        "every thread of the process is asleep, or spins, without a time limit: nobody is left to "
        "wake another");
  }
  const int missing = (without_word > 0 ? 1 : 0) + (without_kernel + annotated > 0 ? 1 : 0);
  strong_at_most |= by_word_only > 0 || partly > 0 || unnamed > 0;
  if (inferred && !deadlock->everyone_asleep) {
    deadlock->confidence = Confidence::kLikely;
  } else if (missing >= 2 || (missing == 1 && deadlock->everyone_asleep)) {
    deadlock->confidence = Confidence::kLikely;
  } else if (missing == 1 || strong_at_most) {
    deadlock->confidence = Confidence::kStrong;
  } else {
    deadlock->confidence = Confidence::kProven;
  }
}

uint64_t WakingSignals(uint64_t caught) {
  const auto bit = [](int number) { return uint64_t{1} << (number - 1); };
  // 32 and 33 are glibc's own: cancellation and setuid of all threads.
  for (int number : {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGTRAP, SIGSYS, SIGABRT, SIGPIPE, 32, 33}) {
    caught &= ~bit(number);
  }
  return caught;
}

bool HandlersRunByThemselves(KernelView* kernel) {
  const std::optional<uint64_t> handled = kernel->CaughtSignals();
  if (!handled.has_value()) return true;
  const uint64_t caught = WakingSignals(*handled);
  if (caught == 0) return false;
  const auto bit = [](int number) { return uint64_t{1} << (number - 1); };
  const uint64_t real_time = ~uint64_t{0} << (34 - 1);
  const std::optional<uint64_t> timers = kernel->TimerSignals();
  if (!timers.has_value() || (caught & *timers) != 0) return true;
  return (caught & (bit(SIGALRM) | bit(SIGVTALRM) | bit(SIGPROF) | bit(SIGIO) | bit(SIGURG) |
                    bit(SIGCHLD) | real_time)) != 0;
}

bool HoldsAgainstHandlers(const WaitModel& model, const Deadlock& deadlock) {
  if (deadlock.shape != Deadlock::Shape::kCycle) return false;
  bool all_own = true;
  for (uint32_t i : deadlock.core) {
    const ModelNode& node = model.nodes[i];
    if (node.need != Need::kAnyone) continue;
    if (node.lock.foreign_releases != 0 || ByHelpers(node)) return false;
    all_own &= node.lock.own_releases != 0;
  }
  // A lone thread that waits for a second unit may well wait for a handler's post.
  return deadlock.core.size() > 1 || all_own;
}

}  // namespace lockwarden
