// What is learned, and what is held against it: each step against every rule, in whichever order
// they come.
#include "watchdog/nesting_watch.h"

namespace lockwarden {
namespace {

constexpr uint32_t kPairsOfRule = 16;
constexpr size_t kStepsKept = 4096;  // that a rule learned later is held against
constexpr size_t kRulesLearned = 64;
constexpr size_t kLocksKept = 1u << 18;

}  // namespace

bool NestingWatch::Rule::Holds() const {
  return up + down >= kPairsOfRule && (up == 0 || down == 0) && !tree;
}

void NestingWatch::Add(const EdgeInfo& edge, NestingPlace place, bool up) {
  const Step step{edge, place, up};
  for (const NestingPlace& known : learned_) {
    if (known != place) Compare(step, rules_[known]);
  }
  if (steps_.size() < kStepsKept) steps_.push_back(step);
  if (locks_ >= kLocksKept) return;
  Rule& rule = rules_[place];
  if (rule.up + rule.down == 0) rule.sample = edge;
  ++(up ? rule.up : rule.down);
  locks_ += rule.locks.insert(edge.from).second;
  locks_ += rule.locks.insert(edge.to).second;
  const auto [under, fresh] = rule.under.try_emplace(edge.to, edge.from);
  rule.tree &= fresh || under->second == edge.from;
  if (!rule.Holds()) {
    learned_.erase(place);
  } else if (learned_.size() < kRulesLearned && learned_.insert(place).second) {
    for (const Step& earlier : steps_) {
      if (earlier.place != place) Compare(earlier, rule);
    }
  }
}

void NestingWatch::Compare(const Step& step, const Rule& rule) {
  const bool against = step.up ? rule.down != 0 : rule.up != 0;
  const bool known = rule.locks.contains(step.edge.from) && rule.locks.contains(step.edge.to);
  if (!against || !known) return;
  breaches_.push_back({step.edge, rule.sample, rule.up + rule.down});
}

}  // namespace lockwarden
