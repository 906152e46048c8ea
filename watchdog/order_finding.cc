// "Thread A takes Y while it holds X; thread B takes X while it holds Y."
#include "watchdog/order_finding.h"

#include <set>

#include "absl/strings/str_cat.h"

namespace lockwarden {

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
  finding.headline = absl::StrCat("POTENTIAL DEADLOCK: lock-order cycle of ",
                                  Counted(locks.size(), "lock"));
  finding.story.push_back("It did not hang this time. If each of them holds its first lock at "
                          "once, none ever gets its second.");
  finding.evidence.push_back("each step was seen, by a different thread, and no lock held by two "
                             "of them keeps them apart");
  if (cycle.verdict.uncertain) {
    finding.evidence.push_back("more locks were held than were noted: one of those may keep them "
                               "apart");
  } else if (cycle.confidence == Confidence::kPossible) {
    finding.evidence.push_back("no init or destroy call was seen for some of these locks: the "
                               "address may have been another lock's before");
  }
  finding.evidence.push_back("whether creating or joining threads orders these steps was not "
                             "looked at");
  finding.advice.push_back(
      readers ? "Take these locks in the same order everywhere, to read as well as to write."
              : "Take these locks in the same order everywhere, or all at once: std::scoped_lock, "
                "lockwarden::acquire(a, b).");
  return finding;
}

}  // namespace lockwarden
