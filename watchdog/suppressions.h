// Suppressions: findings that somebody has looked at and does not want to be told again, by
// where they happen. The form is the one that sanitizers use; docs/run.md tells it.
//
//   # the plugin's own affair
//   potential_deadlock:libplugin.so*
//   misuse:Cache::~Cache
//
// Not for what hangs: a deadlock that happens is always told.
//
// Not thread-safe. Must never: guess what a line means.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "watchdog/finding.h"

namespace lockwarden {

// '*' stands for any characters, '?' for one, everything else for itself.
bool MatchesGlob(absl::string_view pattern, absl::string_view text);

class Suppressions {
 public:
  // Errors: kInvalidArgument, one line "NAME:LINE: what is wrong". `name`: the file's.
  static absl::StatusOr<Suppressions> Parse(absl::string_view text, absl::string_view name);
  // The same from a file.
  static absl::StatusOr<Suppressions> Load(const std::string& path);

  // Whether some line is about this finding: its kind, and a function, source file or module of
  // one of its stacks. Counts the line's use.
  bool Covers(const Finding& finding);

  // "NAME:LINE: TEXT" of each line that has covered nothing so far.
  std::vector<std::string> Unused() const;

 private:
  struct Line {
    std::string kind;  // "*": any
    std::string glob;
    int number = 0;
    uint64_t uses = 0;
  };
  std::string name_;
  std::vector<Line> lines_;
};

}  // namespace lockwarden
