// Backtracking over witnesses, at most four an edge, with each rule checked as early as
// it can be.
#include "watchdog/order_verdict.h"

#include <algorithm>

namespace lockwarden {
namespace {

using ledger::Mode;
using ledger::OrderWitness;
using ledger::PackedRef;

// Rules in the order in which they are said to fail; a level includes those before it.
enum Level { kBlocks, kConflicts, kDistinct, kUngated, kUnordered };

Mode ModeOfByte(uint8_t mode) { return static_cast<Mode>(mode & ledger::kModeMask); }

// Whoever may upgrade reads beside readers, but not beside another one who may.
bool Conflict(Mode a, Mode b) {
  const auto reads = [](Mode mode) { return mode == Mode::kShared || mode == Mode::kUpgrade; };
  return !reads(a) || !reads(b) || (a == Mode::kUpgrade && b == Mode::kUpgrade);
}

struct Hold {
  PackedRef lock;  // without mode
  Mode mode;
};

std::vector<Hold> HoldsOf(const EdgeInfo& edge, const OrderWitness& witness) {
  std::vector<Hold> holds{
      {ledger::Pack(edge.from.index, edge.from.generation, 0), ModeOfByte(witness.from_mode)}};
  for (uint32_t i = 0; i < witness.gate_count && i < ledger::kGatesPerWitness; ++i) {
    holds.push_back({ledger::WithoutMode(witness.gates[i]), ledger::ModeOf(witness.gates[i])});
  }
  return holds;
}

bool Exclude(const std::vector<Hold>& a, const std::vector<Hold>& b) {
  for (const Hold& x : a) {
    for (const Hold& y : b) {
      // A semaphore's unit keeps nobody else out.
      if (x.mode == Mode::kUnit || y.mode == Mode::kUnit) continue;
      if (x.lock == y.lock && Conflict(x.mode, y.mode)) return true;
    }
  }
  return false;
}

class Chooser {
 public:
  Chooser(absl::Span<const EdgeInfo> cycle, const ThreadOrder& order, Level level)
      : cycle_(cycle), order_(order), level_(level) {}

  bool Choose() { return Extend(0); }
  std::vector<OrderWitness> TakeChosen() { return std::move(chosen_); }
  bool cut() const { return steps_ > kMaxSteps; }

 private:
  static constexpr uint64_t kMaxSteps = 200'000;

  bool Fits(const OrderWitness& witness, Moment moment) const {
    if ((witness.to_mode & (ledger::kTry | ledger::kTimed)) != 0) return false;
    if (level_ < kConflicts) return true;
    const size_t i = chosen_.size();
    if (i > 0 && !Conflict(ModeOfByte(chosen_[i - 1].to_mode), ModeOfByte(witness.from_mode))) {
      return false;
    }
    if (i + 1 == cycle_.size() && i > 0 &&
        !Conflict(ModeOfByte(witness.to_mode), ModeOfByte(chosen_[0].from_mode))) {
      return false;
    }
    if (level_ < kDistinct) return true;
    for (const OrderWitness& other : chosen_) {
      if (other.thread_serial == witness.thread_serial) return false;
    }
    if (level_ < kUngated) return true;
    const std::vector<Hold> holds = HoldsOf(cycle_[i], witness);
    for (size_t j = 0; j < i; ++j) {
      if (Exclude(HoldsOf(cycle_[j], chosen_[j]), holds)) return false;
    }
    if (level_ < kUnordered) return true;
    return std::none_of(moments_.begin(), moments_.end(),
                        [&](Moment other) { return order_.Ordered(other, moment); });
  }

  bool ExtendBy(size_t i, const OrderWitness& witness, uint32_t clock) {
    const Moment moment{witness.thread_serial, clock};
    if (!Fits(witness, moment)) return false;
    chosen_.push_back(witness);
    moments_.push_back(moment);
    if (Extend(i + 1)) return true;
    chosen_.pop_back();
    moments_.pop_back();
    return false;
  }

  bool Extend(size_t i) {
    if (i == cycle_.size()) return true;
    if (++steps_ > kMaxSteps) return false;
    for (const OrderWitness& witness : cycle_[i].witnesses) {
      const uint32_t first = witness.first_clock, last = witness.last_clock.Get();
      if (ExtendBy(i, witness, first)) return true;
      if (level_ == kUnordered && last != first && ExtendBy(i, witness, last)) return true;
    }
    return false;
  }

  absl::Span<const EdgeInfo> cycle_;
  const ThreadOrder& order_;
  const Level level_;
  std::vector<OrderWitness> chosen_;
  std::vector<Moment> moments_;  // of those
  uint64_t steps_ = 0;
};

}  // namespace

const char* OrderVerdictName(OrderVerdict verdict) {
  switch (verdict) {
    case OrderVerdict::kPotential: return "potential";
    case OrderVerdict::kBounded: return "bounded";
    case OrderVerdict::kSharedOnly:
      return "readers only";
    case OrderVerdict::kOneThread:
      return "one thread";
    case OrderVerdict::kGuarded: return "guarded";
    case OrderVerdict::kOrdered:
      return "ordered by create and join";
    case OrderVerdict::kHandedOver:
      return "through a semaphore that is handed over";
  }
  return "unknown";
}

CycleVerdict JudgeCycle(absl::Span<const EdgeInfo> cycle, const ThreadOrder& order) {
  CycleVerdict result;
  const bool witnesses_dropped = std::any_of(
      cycle.begin(), cycle.end(), [](const EdgeInfo& edge) { return edge.witnesses_dropped; });
  Chooser all(cycle, order, kUnordered);
  if (all.Choose()) {
    result.chosen = all.TakeChosen();
    result.uncertain =
        std::any_of(result.chosen.begin(), result.chosen.end(),
                    [](const OrderWitness& witness) { return witness.gates_dropped != 0; });
    return result;
  }
  result.uncertain = witnesses_dropped || all.cut();
  const std::pair<Level, OrderVerdict> rules[] = {{kBlocks, OrderVerdict::kBounded},
                                                  {kConflicts, OrderVerdict::kSharedOnly},
                                                  {kDistinct, OrderVerdict::kOneThread},
                                                  {kUngated, OrderVerdict::kGuarded}};
  for (const auto& [level, verdict] : rules) {
    Chooser chooser(cycle, order, level);
    if (chooser.Choose()) continue;
    result.verdict = verdict;
    result.uncertain |= chooser.cut();
    return result;
  }
  result.verdict = OrderVerdict::kOrdered;
  return result;
}

}  // namespace lockwarden
