// OrderRules: a rules file: which lock must be taken before which, by the names that people
// have for them. docs/order.md tells the format.
//
//   # comment
//   order tables before rows before cells
//   order cache.cc:41 before "audit log"
//
// Immutable after Parse. Thread-safe. Must never: guess what a line means.
#pragma once

#include <set>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace lockwarden {

class OrderRules {
 public:
  // Errors: kInvalidArgument, one line "NAME:LINE: what is wrong". `name`: the file's.
  static absl::StatusOr<OrderRules> Parse(absl::string_view text, absl::string_view name);
  // The same from a file.
  static absl::StatusOr<OrderRules> Load(const std::string& path);

  struct Rule {
    std::string before, after;
    int line = 0;
  };
  // What forbids taking a lock that is called so while one is held that is called so: the fewest
  // rules that lead from the one to the other, in their order. Empty: nothing.
  std::vector<Rule> Broken(const std::set<std::string>& wanted,
                           const std::set<std::string>& held) const;
  bool empty() const { return rules_.empty(); }
  const std::string& name() const { return name_; }

 private:
  std::string name_;
  std::vector<Rule> rules_;
  absl::flat_hash_map<std::string, std::vector<size_t>> by_before_;  // indexes into rules_
};

}  // namespace lockwarden
