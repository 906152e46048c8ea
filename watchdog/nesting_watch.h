// NestingWatch: locks of one class that are nested by a rule, by their addresses or parent before
// child, and the first time that some code does it the other way round.
//
// Two accounts are locked by the lower address first: of many accounts hardly two are ever
// locked both ways in one run, so no cycle of locks shows that other code has it the wrong way
// round. The rule is learned of each place that nests locks of one class (the two stacks): many
// different pairs, all in one direction. A tree, whose locks are each taken under one other only,
// follows its own rule, parent before child, and teaches nothing about addresses: against it goes
// who takes a lock while holding what was taken under that one. Where both orders were seen of
// different threads there is a cycle of locks, which is told as such; so this is for a thread that
// goes both ways about locks of its own, while others go the one way about theirs.
//
// A breach is told only if both its locks were seen at that place, and if the two threads could
// meet (order_verdict.h). It is a prediction about a pair that was not seen: `possible`.
//
// Not thread-safe. Must never: grow with the length of a run beyond its bounds.
#pragma once

#include <cstdint>
#include <set>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "watchdog/snapshot.h"

namespace lockwarden {

// Where the two locks of a step were taken: their stacks, or sites where there are none.
using NestingPlace = std::pair<uint64_t, uint64_t>;

struct NestingBreach {
  EdgeInfo edge;       // against the rule
  EdgeInfo sample;     // one pair that was nested by it
  uint32_t pairs = 0;  // that were
  bool parent_first = false;  // the rule; else by address
};

class NestingWatch {
 public:
  // A step between two locks of one class, `up` if the inner one lies behind the outer one in
  // memory. Breaches that it completes, or is, come out of Take.
  void Add(const EdgeInfo& edge, NestingPlace place, bool up);
  std::vector<NestingBreach> Take() { return std::exchange(breaches_, {}); }

 private:
  struct Rule {
    uint32_t up = 0, down = 0;
    bool tree = true;
    std::vector<EdgeInfo> samples;  // the first, and the first of another thread
    absl::flat_hash_set<LockKey> locks;
    absl::flat_hash_map<LockKey, LockKey> under;  // the first that each was taken under
    bool Holds() const;
    // `lock` was taken while `above` was held, or something that was taken under that.
    bool IsBelow(LockKey lock, LockKey above) const;
  };
  struct Step {
    EdgeInfo edge;
    NestingPlace place;
    bool up = false;
  };
  // Holds the step against the rule.
  void Compare(const Step& step, const Rule& rule);

  absl::flat_hash_map<NestingPlace, Rule> rules_;
  std::set<NestingPlace> learned_;
  std::vector<Step> steps_;
  std::vector<NestingBreach> breaches_;
  size_t locks_ = 0;
};

}  // namespace lockwarden
