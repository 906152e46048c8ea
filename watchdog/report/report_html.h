// Findings as one HTML page that needs nothing else: drawing, stacks, source lines, a filter
// box, light and dark, and it prints. It asks no server for anything and runs no script but its
// own (the page's Content-Security-Policy says so to the browser).
//
// Thread safety: no state. Must never: let a name that the program chose become markup.
#pragma once

#include <string>

#include "absl/types/span.h"
#include "watchdog/finding.h"

namespace lockwarden {

struct HtmlOptions {
  // Where relative source paths begin, and what is left out of absolute ones.
  std::string source_root{};
  // Show lines of source files. They are read when the page is made: by a person's command, and
  // not by a supervisor, which must not wait for a disk.
  bool read_sources = false;
};

std::string FormatHtml(absl::Span<const Finding> findings, const HtmlOptions& options = {});

}  // namespace lockwarden
