// Findings in the forms that other tools read. Each function is pure: the same findings give the
// same bytes. A finding that came several times (by fingerprint) comes once, counted, but in
// the folded stacks.
//
// What the program chose (names, paths) is escaped as each form wants it.
// Thread safety: no state.
#pragma once

#include <string>

#include "absl/types/span.h"
#include "watchdog/finding.h"

namespace lockwarden {

// SARIF 2.1.0 (OASIS), for code scanning services: a result a finding, with both places of each
// acquisition as related locations, stacks, and the fingerprint. `root`: source files below it
// are named relative to it, as such services want.
std::string FormatSarif(absl::Span<const Finding> findings, const std::string& root);

// JUnit XML, for CI servers: a failed test case a finding; one that passed if there is none.
std::string FormatJunit(absl::Span<const Finding> findings);

// Graphviz: who waits for whom, a cluster a finding.
std::string FormatDot(absl::Span<const Finding> findings);

// One SVG picture, the cycles below each other.
std::string FormatSvg(absl::Span<const Finding> findings);

// "outermost;...;innermost;lock microseconds", a line a waiting thread: for flame graphs of the
// time that threads were blocked.
std::string FormatFolded(absl::Span<const Finding> findings);

// "::error file=...": annotations of a GitHub workflow, one a finding.
std::string FormatGithub(absl::Span<const Finding> findings, const std::string& root);

}  // namespace lockwarden
