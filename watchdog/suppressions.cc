// The format, and what a glob is held against.
#include "watchdog/suppressions.h"

#include <algorithm>
#include <set>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "watchdog/frames.h"
#include "watchdog/text_file.h"

namespace lockwarden {
namespace {

constexpr FindingKind kSuppressible[] = {
    FindingKind::kOrderViolation, FindingKind::kPotentialDeadlock, FindingKind::kNestedMonitor,
    FindingKind::kLostWakeup,     FindingKind::kSignalUnsafeLock,  FindingKind::kStall,
    FindingKind::kMisuse};

// Empty: it can be suppressed.
std::string WrongWith(absl::string_view kind) {
  std::string kinds = "*";
  if (kind == "*") return "";
  for (const FindingKind known : kSuppressible) {
    if (kind == KindName(known)) return "";
    absl::StrAppend(&kinds, ", ", KindName(known));
  }
  for (const FindingKind hangs : {FindingKind::kDeadlock, FindingKind::kSelfDeadlock}) {
    if (kind == KindName(hangs)) {
      return absl::StrCat("a ", kind, " is happening when it is told, and cannot be suppressed");
    }
  }
  return absl::StrCat("'", kind, "' is no kind of finding; the kinds are ", kinds);
}

// What people may call the place of a frame by.
void AddNames(const StackTrace& stack, std::set<std::string>* names) {
  for (const StackFrame& frame : stack) {
    names->insert(
        {frame.function, frame.file, Basename(frame.file), frame.module, Basename(frame.module)});
  }
}

std::set<std::string> NamesIn(const Finding& finding) {
  std::set<std::string> names;
  for (const FindingThread& thread : finding.threads) {
    if (thread.role != FindingThread::Role::kInCycle) continue;
    AddNames(thread.stack, &names);
    for (const FindingHold& hold : thread.holds) AddNames(hold.stack, &names);
  }
  names.erase("");
  return names;
}

}  // namespace

// By the last star only, as no earlier one can do better.
bool MatchesGlob(absl::string_view pattern, absl::string_view text) {
  size_t p = 0, t = 0, star = absl::string_view::npos, after_star = 0;
  while (t < text.size()) {
    if (p < pattern.size() && pattern[p] == '*') {
      star = p++;
      after_star = t;
    } else if (p < pattern.size() && (pattern[p] == '?' || pattern[p] == text[t])) {
      ++p;
      ++t;
    } else if (star != absl::string_view::npos) {
      p = star + 1;
      t = ++after_star;
    } else {
      return false;
    }
  }
  return pattern.find_first_not_of('*', p) == absl::string_view::npos;
}

absl::StatusOr<Suppressions> Suppressions::Parse(absl::string_view text, absl::string_view name) {
  Suppressions suppressions;
  suppressions.name_ = std::string(name);
  int number = 0;
  const auto bad = [&](absl::string_view what) {
    return absl::InvalidArgumentError(absl::StrCat(name, ":", number, ": ", what));
  };
  for (absl::string_view line : absl::StrSplit(text, '\n')) {
    ++number;
    line = WithoutComment(line);
    if (line.empty()) continue;
    const size_t colon = line.find(':');
    const absl::string_view kind = absl::StripAsciiWhitespace(line.substr(0, colon));
    const absl::string_view glob =
        colon == line.npos ? "" : absl::StripAsciiWhitespace(line.substr(colon + 1));
    if (kind.empty() || glob.empty()) {
      return bad(absl::StrCat("must be 'KIND:FUNCTION_OR_MODULE', is '", line, "'"));
    }
    if (const std::string wrong = WrongWith(kind); !wrong.empty()) return bad(wrong);
    suppressions.lines_.push_back({std::string(kind), std::string(glob), number, 0});
  }
  return suppressions;
}

absl::StatusOr<Suppressions> Suppressions::Load(const std::string& path) {
  const absl::StatusOr<std::string> text = ReadTextFile(path);
  if (!text.ok()) return text.status();
  return Parse(*text, path);
}

bool Suppressions::Covers(const Finding& finding) {
  if (std::find(std::begin(kSuppressible), std::end(kSuppressible), finding.kind) ==
      std::end(kSuppressible)) {
    return false;
  }
  const std::set<std::string> names = NamesIn(finding);
  bool covered = false;
  for (Line& line : lines_) {
    if (line.kind != "*" && line.kind != KindName(finding.kind)) continue;
    if (std::any_of(names.begin(), names.end(),
                    [&](const std::string& known) { return MatchesGlob(line.glob, known); })) {
      ++line.uses;
      covered = true;
    }
  }
  return covered;
}

std::vector<std::string> Suppressions::Unused() const {
  std::vector<std::string> unused;
  for (const Line& line : lines_) {
    if (line.uses == 0) {
      unused.push_back(absl::StrCat(name_, ":", line.number, ": ", line.kind, ":", line.glob));
    }
  }
  return unused;
}

}  // namespace lockwarden
