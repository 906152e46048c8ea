// What is learned, and what is held against it: each step against every rule, in whichever order
// they come.
#include "watchdog/nesting_watch.h"

namespace lockwarden {
namespace {

constexpr uint32_t kPairsOfRule = 16;
constexpr uint32_t kDeepestTree = 64;
constexpr size_t kStepsKept = 4096;  // that a rule learned later is held against
constexpr size_t kRulesLearned = 64;
constexpr size_t kLocksKept = 1u << 18;

}  // namespace

bool NestingWatch::Rule::Holds() const {
  return up + down >= kPairsOfRule && (tree || up == 0 || down == 0);
}

bool NestingWatch::Rule::IsBelow(LockKey lock, LockKey above) const {
  for (uint32_t depth = 0; depth < kDeepestTree; ++depth) {
    const auto parent = under.find(lock);
    if (parent == under.end()) return false;
    if (parent->second == above) return true;
    lock = parent->second;
  }
  return false;
}

void NestingWatch::Add(const EdgeInfo& edge, NestingPlace place, bool up) {
  const Step step{edge, place, up};
  for (const NestingPlace& known : learned_) {
    if (known != place) Compare(step, rules_[known]);
  }
  if (steps_.size() < kStepsKept) steps_.push_back(step);
  if (locks_ >= kLocksKept) return;
  Rule& rule = rules_[place];
  const auto thread_of = [](const EdgeInfo& e) { return e.witnesses.front().thread_serial; };
  const bool another = rule.samples.size() == 1 && thread_of(rule.samples[0]) != thread_of(edge);
  if (rule.samples.empty() || another) rule.samples.push_back(edge);
  ++(up ? rule.up : rule.down);
  locks_ += rule.locks.insert(edge.from).second;
  locks_ += rule.locks.insert(edge.to).second;
  const auto [under, fresh] = rule.under.try_emplace(edge.to, edge.from);
  const bool was_tree = rule.tree;
  rule.tree &= fresh || under->second == edge.from;
  if (was_tree != rule.tree) learned_.erase(place);  // another rule, if any
  if (!rule.Holds()) {
    learned_.erase(place);
  } else if (learned_.size() < kRulesLearned && learned_.insert(place).second) {
    for (const Step& earlier : steps_) {
      if (earlier.place != place) Compare(earlier, rule);
    }
  }
}

void NestingWatch::Compare(const Step& step, const Rule& rule) {
  const bool against = rule.tree ? rule.IsBelow(step.edge.from, step.edge.to)
                       : step.up ? rule.down != 0
                                 : rule.up != 0;
  const bool known = rule.locks.contains(step.edge.from) && rule.locks.contains(step.edge.to);
  if (!against || !known) return;
  const bool same_thread =
      rule.samples[0].witnesses.front().thread_serial == step.edge.witnesses.front().thread_serial;
  const EdgeInfo& sample = same_thread ? rule.samples.back() : rule.samples.front();
  breaches_.push_back({step.edge, sample, rule.up + rule.down, rule.tree});
}

}  // namespace lockwarden
