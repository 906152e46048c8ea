// "Thread A takes Y while it holds X; thread B takes X while it holds Y." Or "A waits for B to
// end while it holds X; B takes X."
#include "watchdog/order_finding.h"

#include <set>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

namespace lockwarden {

namespace {

// The steps are told already: the one that goes against the rule, and one that keeps it.
void TellBreach(const PredictedCycle& cycle, Finding* finding) {
  const char* const rule = cycle.parent_first ? "parent before child" : "by address";
  finding->headline =
      absl::StrCat("POTENTIAL DEADLOCK: 2 locks of one class taken against their order ", rule);
  finding->cycle.clear();
  finding->story.push_back(absl::StrCat("The first goes against the order ", rule,
                                        ", in which locks of this class are taken where "
                                        "the second was: ",
                                        cycle.pairs_by_address,
                                        " pairs there, without exception."));
  finding->story.push_back(
      "It did not hang this time. If both meet at the two locks of the first, "
      "none ever gets its second.");
  finding->evidence.push_back(
      cycle.parent_first ? "these two locks were seen in that order, too, but by the same thread"
                         : "both locks were seen in that order by address, beside others, but "
                           "not these two together");
}

// The steps are told already, each of other locks of the classes.
void TellClasses(const PredictedCycle& cycle, Finding* finding) {
  finding->headline = absl::StrCat("POTENTIAL DEADLOCK: order cycle of ", cycle.edges.size(),
                                   " classes of locks (a prediction about classes)");
  finding->cycle.clear();
  finding->story.push_back(
      "This is a prediction about classes of locks only: each step was seen, but not of the same "
      "locks, and no cycle of locks was. It can hang if these steps ever meet at the same ones.");
  finding->evidence.push_back(
      "each step was seen, by a different thread, of locks that were created, or first taken, at "
      "the same places as those of the next step");
  finding->evidence.push_back("whether one and the same lock is ever taken both ways is not known");
}

// Of a step: the thread whose end is waited for, or that is waited for.
void TellJoins(const FindingParts& parts, const EdgeInfo& edge, const FindingThread& thread,
               const Finding& finding, std::vector<std::string>* story) {
  const FindingThread joined =
      parts.Thread(ledger::SerialIn(IsThread(edge.to) ? edge.to.index : edge.from.index));
  const std::string place = PlaceInBrackets(IsThread(edge.to) ? "called" : "taken", thread.stack);
  if (!IsThread(edge.to)) {
    story->push_back(absl::StrCat(Capitalized(NameOf(thread)), " takes ",
                                  finding.locks[thread.waits_for].label, place,
                                  " before it ends."));
    return;
  }
  std::string held;
  if (!thread.holds.empty()) {
    held = absl::StrCat(" while it holds ", finding.locks[thread.holds[0].lock].label,
                        PlaceInBrackets("taken", thread.holds[0].stack));
  }
  story->push_back(absl::StrCat(Capitalized(NameOf(thread)), " waits for ", NameOf(joined),
                                " to end", place, held, "."));
}

}  // namespace

Finding OrderFinding(const FindingParts& parts, const PredictedCycle& cycle, uint64_t now_ns) {
  Finding finding = parts.Begin(FindingKind::kPotentialDeadlock, now_ns);
  finding.confidence = cycle.confidence;
  std::set<size_t> locks;
  bool readers = false, joins = false;
  for (size_t i = 0; i < cycle.edges.size(); ++i) {
    const ledger::OrderWitness& witness = cycle.verdict.chosen[i];
    FindingThread thread = parts.Thread(witness.thread_serial);
    const EdgeInfo& edge = cycle.edges[i];
    const auto from_mode = static_cast<ledger::Mode>(witness.from_mode & ledger::kModeMask);
    const auto to_mode = static_cast<ledger::Mode>(witness.to_mode & ledger::kModeMask);
    readers |= from_mode == ledger::Mode::kShared || to_mode == ledger::Mode::kShared;
    thread.stack = parts.Stack(witness.to_stack, witness.to_site);
    thread.waits = true;
    thread.waits_mode = ModeName(to_mode);
    if (!IsThread(edge.from)) {
      const size_t from = parts.AddLock(&finding, edge.from);
      locks.insert(from);
      thread.holds.push_back(
          {from, ModeName(from_mode), false, parts.Stack(witness.from_stack, witness.from_site)});
    }
    if (IsThread(edge.to)) {
      thread.joins_tid = parts.Thread(ledger::SerialIn(edge.to.index)).tid;
    } else {
      thread.waits_for = parts.AddLock(&finding, edge.to);
    }
    if (IsThread(edge.from) || IsThread(edge.to)) {
      joins |= IsThread(edge.to);
      TellJoins(parts, edge, thread, finding, &finding.story);
    } else {
      finding.story.push_back(absl::StrCat(
          Capitalized(NameOf(thread)), " takes ", finding.locks[thread.waits_for].label,
          PlaceInBrackets("taken", thread.stack), " while it holds ",
          finding.locks[thread.holds[0].lock].label,
          PlaceInBrackets("taken", thread.holds[0].stack), "."));
    }
    finding.cycle.push_back(i);
    finding.threads.push_back(std::move(thread));
  }
  if (cycle.pairs_by_address != 0) {
    TellBreach(cycle, &finding);
  } else if (cycle.classes) {
    TellClasses(cycle, &finding);
  } else {
    finding.headline = joins ? absl::StrCat("POTENTIAL DEADLOCK: a thread is joined under ",
                                            locks.size() == 1 ? "a lock that it takes"
                                                              : "a lock that it comes to wait for")
                             : absl::StrCat("POTENTIAL DEADLOCK: lock-order cycle of ",
                                            Counted(locks.size(), "lock"));
    finding.story.push_back(
        joins ? "It did not hang this time. If the lock is held for the join before the joined "
                "thread comes to take it, neither ever goes on."
              : "It did not hang this time. If each of them holds its first lock at "
                "once, none ever gets its second.");
    finding.evidence.push_back(
        "each step was seen, by a different thread; neither a lock held by "
        "two of them keeps them apart nor the creation or join of a thread");
  }
  if (cycle.verdict.uncertain) {
    finding.evidence.push_back("more locks were held than were noted: one of those may keep them "
                               "apart");
  } else if (cycle.semaphores) {
    finding.evidence.push_back(
        "a semaphore in it is taken for a lock: it began with one unit, and "
        "nobody was seen to post it but who had taken that unit");
  } else if (cycle.ring) {
    finding.evidence.push_back(
        "one place in the code takes all the steps, and some thread several of them: a ring of "
        "locks that is walked. Something else may keep so many walkers from being in it at once");
  } else if (cycle.pairs_by_address == 0 && !cycle.classes &&
             cycle.confidence == Confidence::kPossible) {
    finding.evidence.push_back("no init or destroy call was seen for some of these locks: the "
                               "address may have been another lock's before");
  }
  finding.advice.push_back(
      joins ? "Release what a thread may need before joining it."
      : readers
          ? "Take these locks in the same order everywhere, to read as well as to write."
          : "Take these locks in the same order everywhere, or all at once: std::scoped_lock, "
            "lockwarden::acquire(a, b).");
  return finding;
}

std::string RejectedLine(const FindingParts& parts, const PredictedCycle& cycle) {
  std::vector<std::string> steps;
  for (const EdgeInfo& edge : cycle.edges) {
    if (edge.witnesses.empty()) continue;
    const ledger::OrderWitness& witness = edge.witnesses.front();
    const auto label = [&](LockKey key) {
      return IsThread(key) ? NameOf(parts.Thread(ledger::SerialIn(key.index)))
                           : parts.Lock(key).label;
    };
    const StackTrace stack = parts.Stack(witness.to_stack, witness.to_site);
    steps.push_back(
        IsThread(edge.from)
            ? absl::StrCat(label(edge.to), PlaceInBrackets("taken", stack), " by ",
                           label(edge.from))
            : absl::StrCat(label(edge.to),
                           PlaceInBrackets(IsThread(edge.to) ? "joined" : "taken", stack),
                           " under ", label(edge.from)));
  }
  return absl::StrCat("not told, ", OrderVerdictName(cycle.verdict.verdict),
                      ": lock-order cycle: ", absl::StrJoin(steps, "; "));
}

}  // namespace lockwarden
