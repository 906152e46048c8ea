// Names of locks, and one finding for each pair of stacks that breaks a rule.
#include "watchdog/rule_watch.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "watchdog/frames.h"
#include "watchdog/violation_finding.h"

namespace lockwarden {
namespace {

constexpr uint32_t kBatch = 4096;  // edges
constexpr size_t kEdgesALook = 65'536;
constexpr uint32_t kPatience = 100;    // looks at an edge that never becomes whole
constexpr size_t kNamedALook = 512;    // locks: about 50 ms of symbols at worst
constexpr size_t kNamesKept = 65'536;  // locks; then they are worked out anew

bool CouldBlockForEver(const ledger::OrderWitness& witness) {
  return (witness.to_mode & (ledger::kTry | ledger::kTimed)) == 0;
}

ledger::Mode ModeIn(uint8_t bits) { return static_cast<ledger::Mode>(bits & ledger::kModeMask); }

}  // namespace

void RuleWatch::Look(const Snapshot& snapshot, const FindingParts& parts, bool last,
                     std::vector<Finding>* findings) {
  if (rules_ == nullptr || rules_->empty()) return;
  const auto make_due = [&] {
    std::move(fresh_.begin(), fresh_.end(), std::back_inserter(due_));
    fresh_.clear();
  };
  make_due();
  if (last || due_.size() < kEdgesALook) ReadEdges(snapshot, last);
  if (last) make_due();
  named_ = 0;
  while (!due_.empty() && (last || named_ < kNamedALook)) {
    Judge(due_.front(), parts, findings);
    due_.pop_front();
  }
}

void RuleWatch::ReadEdges(const Snapshot& snapshot, bool last) {
  while (next_edge_ < snapshot.order_edges && (last || fresh_.size() < kEdgesALook)) {
    std::vector<EdgeInfo> edges = reader_->Edges(next_edge_, kBatch);
    for (EdgeInfo& edge : edges) {
      next_edge_ = edge.index + 1;
      fresh_.push_back(std::move(edge));
    }
    if (!edges.empty()) {
      stalled_looks_ = 0;
      continue;
    }
    // The next one is not whole yet: its writer is at it, or died in the middle of it.
    if (!last && ++stalled_looks_ < kPatience) return;
    stalled_looks_ = 0;
    ++next_edge_;
  }
}

void RuleWatch::Judge(const EdgeInfo& edge, const FindingParts& parts,
                      std::vector<Finding>* findings) {
  const auto witness =
      std::find_if(edge.witnesses.begin(), edge.witnesses.end(), CouldBlockForEver);
  if (witness == edge.witnesses.end()) return;
  const std::set<std::string> held = NamesOf(edge.from, parts);
  const std::vector<OrderRules::Rule> rules = rules_->Broken(NamesOf(edge.to, parts), held);
  if (rules.empty()) return;
  const bool stacks = witness->from_stack != 0 && witness->to_stack != 0;
  const auto places = stacks ? std::pair<uint64_t, uint64_t>(witness->from_stack, witness->to_stack)
                             : std::pair(witness->from_site, witness->to_site);
  if (!told_.insert(places).second) return;
  OrderViolation violation;
  violation.thread_serial = witness->thread_serial;
  violation.wanted = edge.to;
  violation.held = edge.from;
  violation.wanted_mode = ModeIn(witness->to_mode);
  violation.held_mode = ModeIn(witness->from_mode);
  violation.wanted_stack = witness->to_stack;
  violation.held_stack = witness->from_stack;
  violation.wanted_site = witness->to_site;
  violation.held_site = witness->from_site;
  violation.wanted_called = rules.front().before;
  violation.held_called = rules.back().after;
  violation.why = WhatTheySay(rules);
  violation.advice = "Take these locks in the order of the rule, or correct the rule.";
  findings->push_back(ViolationFinding(parts, violation, edge.first_ns));
}

// "The rule in x.rules:3 says: a before b before c."
std::string RuleWatch::WhatTheySay(const std::vector<OrderRules::Rule>& rules) const {
  std::set<int> lines;
  std::string order = rules.front().before;
  for (const OrderRules::Rule& rule : rules) {
    lines.insert(rule.line);
    absl::StrAppend(&order, " before ", rule.after);
  }
  return absl::StrCat(lines.size() == 1 ? "The rule in " : "The rules in ", rules_->name(), ":",
                      absl::StrJoin(lines, " and :"), lines.size() == 1 ? " says: " : " say: ",
                      order, ".");
}

const std::set<std::string>& RuleWatch::NamesOf(LockKey key, const FindingParts& parts) {
  if (names_.size() >= kNamesKept) names_.clear();
  const auto [entry, fresh] = names_.try_emplace(key);
  std::set<std::string>& names = entry->second;
  if (!fresh) return names;
  ++named_;
  const LockInfo info = reader_->Lock(key);
  const ClassInfo lock_class = reader_->Class(info.lock_class);
  names = {info.name, lock_class.name};
  // The variable that it lies in: looked up as if just behind a call.
  const auto variable = parts.Stack(0, info.address + 1);
  if (!variable.empty() && !variable[0].module.empty()) names.insert(variable[0].function);
  // Where it was created, or first locked.
  const uint32_t stack = info.init_stack != 0 ? info.init_stack : lock_class.stack;
  const StackTrace visible = VisibleFrames(parts.Stack(stack, lock_class.site));
  const auto user = std::find_if(visible.begin(), visible.end(), IsUserFrame);
  if (user != visible.end()) {
    names.insert(user->function);
    names.insert(absl::StrCat(user->file, ":", user->line));
    names.insert(absl::StrCat(Basename(user->file), ":", user->line));
  }
  names.erase("");
  names.erase(":0");
  return names;
}

}  // namespace lockwarden
