// A few lines of a source file around one of them, for a report.
//
// A report names the files, and is not trusted: only regular files with a suffix of source code
// are opened, and only so much of them is read.
// Not thread-safe.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

namespace lockwarden {

class SourceLines {
 public:
  // `root`: where relative paths begin; empty: they are not looked for.
  explicit SourceLines(std::string root) : root_(std::move(root)) {}

  // Number and text of up to seven lines around `line`; none if the file cannot be had, or was
  // changed after `before_ns` (CLOCK_REALTIME; 0: not known): its lines may be others now.
  std::vector<std::pair<int, std::string>> Around(const std::string& file, int line,
                                                  uint64_t before_ns);

 private:
  struct Text {
    std::vector<std::string> lines;
    uint64_t changed_ns = 0;
  };
  const Text& Load(const std::string& path);

  std::string root_;
  std::map<std::string, Text> files_;
};

}  // namespace lockwarden
