// "Thread A takes X while it holds Y", and which declaration says otherwise.
#include "watchdog/violation_finding.h"

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

namespace lockwarden {
namespace {

using ledger::OrderRule;

constexpr char kFollow[] =
    "Take these locks in the declared order, or all at once: lockwarden::acquire(a, b).";

const char* WhyOf(OrderRule rule) {
  switch (rule) {
    case OrderRule::kDeclared:
      return "The declared order of their classes is the opposite.";
    case OrderRule::kRank:
      return "The lock that it holds has the higher rank.";
    case OrderRule::kId:
      return "Both have one rank, and of those the lock with the lower id comes first.";
    case OrderRule::kSet:
      return "It acquires a set of locks whose lowest is not above all that it holds.";
    case OrderRule::kNoLocks:
      return "It enters code in which no lock may be held.";
    case OrderRule::kNone:
      break;
  }
  return "The declared order is the opposite.";
}

const char* AdviceOf(OrderRule rule) {
  switch (rule) {
    case OrderRule::kId:
      return "Take them by acquire(a, b), which sorts, or declare the class unordered.";
    case OrderRule::kSet:
      return "Acquire all that is needed in one set, at the outermost place.";
    case OrderRule::kNoLocks:
      return "Release the lock before the call, and take it again after.";
    default:
      return kFollow;
  }
}

// What it is called in reports, and by the rule if that is something else.
std::string Called(const FindingLock& lock, const std::string& by_rule) {
  if (by_rule.empty() || absl::StrContains(lock.label, by_rule)) return lock.label;
  return absl::StrCat(lock.label, " (", by_rule, ")");
}

}  // namespace

OrderViolation ViolationOf(const MisuseInfo& misuse) {
  OrderViolation violation;
  violation.thread_serial = misuse.thread_serial;
  violation.wanted = misuse.lock;
  violation.held = misuse.other_lock;
  violation.held_mode = misuse.other_mode;
  violation.wanted_stack = misuse.stack;
  violation.held_stack = misuse.other_stack;
  violation.wanted_site = misuse.site;
  violation.count = misuse.count;
  violation.why = WhyOf(misuse.rule);
  violation.advice = AdviceOf(misuse.rule);
  return violation;
}

Finding ViolationFinding(const FindingParts& parts, const OrderViolation& violation,
                         uint64_t time_ns) {
  Finding finding = parts.Begin(FindingKind::kOrderViolation, time_ns);
  finding.confidence = Confidence::kProven;
  finding.misuse = "order_violation";
  FindingThread thread = parts.Thread(violation.thread_serial);
  thread.stack = parts.Stack(violation.wanted_stack, violation.wanted_site);
  std::string headline, sentence;
  if (violation.wanted.index != ledger::kNoIndex) {
    const size_t wanted = parts.AddLock(&finding, violation.wanted);
    thread.waits = true;
    thread.waits_for = wanted;
    thread.waits_mode = ModeName(violation.wanted_mode);
    headline = absl::StrCat(NameOf(thread), " takes ",
                            Called(finding.locks[wanted], violation.wanted_called));
    sentence = absl::StrCat(headline, PlaceInBrackets("taken", thread.stack));
  } else {
    headline = absl::StrCat(NameOf(thread), " may hold no lock");
    sentence = absl::StrCat(headline, PlaceInBrackets("called", thread.stack));
  }
  if (violation.held.index != ledger::kNoIndex) {
    const size_t held = parts.AddLock(&finding, violation.held);
    const std::string holds =
        absl::StrCat(" while it holds ", Called(finding.locks[held], violation.held_called));
    thread.holds.push_back({held, ModeName(violation.held_mode), false,
                            parts.Stack(violation.held_stack, violation.held_site)});
    absl::StrAppend(&headline, holds);
    absl::StrAppend(&sentence, holds, PlaceInBrackets("taken", thread.holds[0].stack));
  }
  finding.threads.push_back(std::move(thread));
  finding.headline = absl::StrCat("LOCK-ORDER VIOLATION: ", headline);
  finding.story.push_back(absl::StrCat(Capitalized(sentence), "."));
  finding.story.push_back(violation.why);
  finding.evidence.push_back("seen as it happened, before the call could block");
  if (violation.count > 1) {
    finding.evidence.push_back(absl::StrCat("seen ", violation.count, " times so far"));
  }
  finding.advice.push_back(violation.advice);
  return finding;
}

}  // namespace lockwarden
