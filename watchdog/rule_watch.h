// RuleWatch: holds the ledger's order edges against a rules file. An edge says that some
// thread asked for one lock while it held another, whoever's locks they are.
//
// A new edge is looked at a look later, when the locks have got the names that the program
// gives them as it takes them; to find out what a lock is called takes symbols, so of very many
// locks only so many a look. Each pair of stacks is told once. Acquisitions with a time limit
// are let pass, as tries are, which leave no edge.
//
// Written and read by: the judge's thread. Must never: search the graph.
#pragma once

#include <cstdint>
#include <deque>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "watchdog/finding_parts.h"
#include "watchdog/order_rules.h"

namespace lockwarden {

class RuleWatch {
 public:
  // `rules` may be null: then nothing is looked at. Both outlive the watch.
  RuleWatch(const LedgerReader* reader, const OrderRules* rules) : reader_(reader), rules_(rules) {}

  // Reads what is new, and tells what breaks a rule. `last`: there will be no other look.
  void Look(const Snapshot& snapshot, const FindingParts& parts, bool last,
            std::vector<Finding>* findings);

 private:
  void ReadEdges(const Snapshot& snapshot, bool last);
  void Judge(const EdgeInfo& edge, const FindingParts& parts, std::vector<Finding>* findings);
  // All that a rule may call the lock by.
  std::string WhatTheySay(const std::vector<OrderRules::Rule>& rules) const;
  const std::set<std::string>& NamesOf(LockKey key, const FindingParts& parts);

  const LedgerReader* reader_;
  const OrderRules* rules_;
  uint32_t next_edge_ = 0;
  uint32_t stalled_looks_ = 0;
  std::vector<EdgeInfo> fresh_;  // of this look
  std::deque<EdgeInfo> due_;
  size_t named_ = 0;  // locks, in this look
  absl::flat_hash_map<LockKey, std::set<std::string>> names_;
  std::set<std::pair<uint64_t, uint64_t>> told_;  // stacks, or sites where there are none
};

}  // namespace lockwarden
