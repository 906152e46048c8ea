// Findings as people and programs read them. Pure functions: same finding, same text.
// Thread safety: no state.
#pragma once

#include <string>

#include "watchdog/finding.h"

namespace lockwarden {

struct TextStyle {
  bool color = false;  // the sink is a terminal
  // Directory of incidents, so that a person gets a path; empty: the id is printed alone.
  std::string incidents{};
};

// Begins with "lockwarden: HEADLINE (pid N)" (without the pid if it is 0: merged from several
// processes), ends with a newline. The story first,
// then stacks, then evidence, advice, fingerprint and incident. What the program named
// is escaped: it cannot forge a line or drive a terminal.
std::string FormatText(const Finding& finding, const TextStyle& style);

// One JSON object on one line, without the newline; docs/finding.schema.json.
// Strings that are not UTF-8 are mended, never thrown about.
std::string FormatJson(const Finding& finding);

// The same finding in another run or build of the program has the same fingerprint:
// made of kind, functions, files and lock classes; no addresses, lines, ids, pids or times.
// 16 hexadecimal digits.
std::string Fingerprint(const Finding& finding);

// CLOCK_REALTIME nanoseconds as "2026-11-21T09:30:00.123Z" (RFC 3339).
std::string FormatTime(uint64_t realtime_ns);

}  // namespace lockwarden
