// Baseline: the findings that a program is known to have, one fingerprint a line, so that only
// a new one fails a run.
//
//   00112233445566ff potential_deadlock lock-order cycle of 2 locks
//
// What follows the fingerprint is for people. A deadlock that happens is never known: it hangs.
//
// Not thread-safe. Must never: forget that an entry was seen.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "watchdog/finding.h"

namespace lockwarden {

class Baseline {
 public:
  // Errors: kInvalidArgument, one line "NAME:LINE: what is wrong". `name`: the file's.
  static absl::StatusOr<Baseline> Parse(absl::string_view text, absl::string_view name);
  // The same from a file.
  static absl::StatusOr<Baseline> Load(const std::string& path);
  // Whether findings of that kind are what a baseline is for.
  static bool Keeps(FindingKind kind);

  // Whether the finding, by its fingerprint, has an entry, which then was seen.
  bool Knows(const Finding& finding);
  // "NAME:LINE: fingerprint and text" of the entries that were not seen so far.
  std::vector<std::string> Unseen() const;

 private:
  struct Entry {
    std::string text;
    int line = 0;
    bool seen = false;
  };
  std::string name_;
  std::map<std::string, Entry> entries_;
};

// Collects findings for a new baseline.
class BaselineText {
 public:
  void Add(const Finding& finding);
  std::string Text() const;  // sorted, so that two runs give the same file

 private:
  std::map<std::string, std::string> lines_;  // by fingerprint
};

}  // namespace lockwarden
