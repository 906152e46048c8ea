// Backwards from `b`: to who created its thread, and to those that it has joined by then.
#include "watchdog/thread_order.h"

#include <limits>

namespace lockwarden {

ThreadOrder::ThreadOrder(std::vector<ThreadLifeInfo> lives) : lives_(std::move(lives)) {
  for (uint32_t i = 0; i < lives_.size(); ++i) {
    if (lives_[i].joiner != 0) joins_[lives_[i].joiner].push_back({i + 1, lives_[i].joined_at});
  }
}

bool ThreadOrder::Before(Moment a, Moment b) const {
  if (a.thread == b.thread) return a.clock < b.clock;
  const auto [known, fresh] = known_.try_emplace({a, b}, false);
  if (!fresh) return known->second;
  const bool before = Search(a, b);
  known_[{a, b}] = before;
  return before;
}

bool ThreadOrder::Search(Moment a, Moment b) const {
  absl::flat_hash_map<uint32_t, uint32_t> reached;  // thread -> what it did up to then is before b
  std::vector<Moment> left{b};
  while (!left.empty()) {
    const Moment at = left.back();
    left.pop_back();
    const auto [known, fresh] = reached.try_emplace(at.thread, at.clock);
    if (!fresh) {
      if (known->second >= at.clock) continue;
      known->second = at.clock;
    }
    if (at.thread == a.thread && a.clock <= at.clock) return true;
    if (at.thread == 0 || at.thread > lives_.size()) continue;
    const ThreadLifeInfo& life = lives_[at.thread - 1];
    if (life.creator != 0) left.push_back({life.creator, life.created_at});
    const auto joins = joins_.find(at.thread);
    if (joins == joins_.end()) continue;
    for (const Join& join : joins->second) {
      if (join.joined_at > at.clock) continue;
      left.push_back({join.joined, std::numeric_limits<uint32_t>::max()});
    }
  }
  return false;
}

}  // namespace lockwarden
