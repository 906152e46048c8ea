// "Thread A takes Y while it holds X; thread B takes X while it holds Y."
#include "watchdog/order_finding.h"

#include <set>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

namespace lockwarden {

namespace {

// The steps are told already: the one that goes against the rule, and one that keeps it.
void TellByAddress(const PredictedCycle& cycle, Finding* finding) {
  finding->headline =
      "POTENTIAL DEADLOCK: 2 locks of one class taken against their order by address";
  finding->cycle.clear();
  finding->story.push_back(absl::StrCat(
      "The first goes against the order by address, in which locks of this class are taken where "
      "the second was: ",
      cycle.pairs_by_address, " pairs there, without exception."));
  finding->story.push_back(
      "It did not hang this time. If both meet at the two locks of the first, "
      "none ever gets its second.");
  finding->evidence.push_back(
      "both locks were seen in that order by address, beside others, but "
      "not these two together");
}

}  // namespace

Finding OrderFinding(const FindingParts& parts, const PredictedCycle& cycle, uint64_t now_ns) {
  Finding finding = parts.Begin(FindingKind::kPotentialDeadlock, now_ns);
  finding.confidence = cycle.confidence;
  std::set<size_t> locks;
  bool readers = false;
  for (size_t i = 0; i < cycle.edges.size(); ++i) {
    const ledger::OrderWitness& witness = cycle.verdict.chosen[i];
    FindingThread thread = parts.Thread(witness.thread_serial);
    const size_t from = parts.AddLock(&finding, cycle.edges[i].from);
    const size_t to = parts.AddLock(&finding, cycle.edges[i].to);
    locks.insert(from);
    const auto from_mode = static_cast<ledger::Mode>(witness.from_mode & ledger::kModeMask);
    const auto to_mode = static_cast<ledger::Mode>(witness.to_mode & ledger::kModeMask);
    readers |= from_mode == ledger::Mode::kShared || to_mode == ledger::Mode::kShared;
    thread.stack = parts.Stack(witness.to_stack, witness.to_site);
    thread.waits = true;
    thread.waits_for = to;
    thread.waits_mode = ModeName(to_mode);
    thread.holds.push_back({from, ModeName(from_mode), false,
                            parts.Stack(witness.from_stack, witness.from_site)});
    finding.story.push_back(absl::StrCat(
        Capitalized(NameOf(thread)), " takes ", finding.locks[to].label,
        PlaceInBrackets("taken", thread.stack), " while it holds ", finding.locks[from].label,
        PlaceInBrackets("taken", thread.holds[0].stack), "."));
    finding.cycle.push_back(i);
    finding.threads.push_back(std::move(thread));
  }
  if (cycle.pairs_by_address != 0) {
    TellByAddress(cycle, &finding);
  } else {
    finding.headline =
        absl::StrCat("POTENTIAL DEADLOCK: lock-order cycle of ", Counted(locks.size(), "lock"));
    finding.story.push_back(
        "It did not hang this time. If each of them holds its first lock at "
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
  } else if (cycle.pairs_by_address == 0 && cycle.confidence == Confidence::kPossible) {
    finding.evidence.push_back("no init or destroy call was seen for some of these locks: the "
                               "address may have been another lock's before");
  }
  finding.advice.push_back(
      readers ? "Take these locks in the same order everywhere, to read as well as to write."
              : "Take these locks in the same order everywhere, or all at once: std::scoped_lock, "
                "lockwarden::acquire(a, b).");
  return finding;
}

std::string RejectedLine(const FindingParts& parts, const PredictedCycle& cycle) {
  std::vector<std::string> steps;
  for (const EdgeInfo& edge : cycle.edges) {
    const FindingLock from = parts.Lock(edge.from), to = parts.Lock(edge.to);
    if (edge.witnesses.empty()) continue;
    const ledger::OrderWitness& witness = edge.witnesses.front();
    steps.push_back(absl::StrCat(
        to.label, PlaceInBrackets("taken", parts.Stack(witness.to_stack, witness.to_site)),
        " under ", from.label));
  }
  return absl::StrCat("not told, ", OrderVerdictName(cycle.verdict.verdict),
                      ": lock-order cycle: ", absl::StrJoin(steps, "; "));
}

}  // namespace lockwarden
