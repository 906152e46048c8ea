// The format, both ways.
#include "watchdog/baseline.h"

#include <algorithm>
#include <set>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "watchdog/frames.h"
#include "watchdog/printable.h"
#include "watchdog/text_file.h"

namespace lockwarden {
namespace {

constexpr size_t kFingerprintSize = 16;
constexpr char kHead[] =
    "# What is known: findings with these fingerprints fail no run (lockwarden run --baseline).\n";

bool IsFingerprint(absl::string_view word) {
  return word.size() == kFingerprintSize &&
         std::all_of(word.begin(), word.end(), [](unsigned char c) {
           return absl::ascii_isdigit(c) || (c >= 'a' && c <= 'f');
         });
}

}  // namespace

bool Baseline::Keeps(FindingKind kind) {
  return kind != FindingKind::kDeadlock && kind != FindingKind::kSelfDeadlock;
}

absl::StatusOr<Baseline> Baseline::Parse(absl::string_view text, absl::string_view name) {
  Baseline baseline;
  baseline.name_ = std::string(name);
  int number = 0;
  for (absl::string_view line : absl::StrSplit(text, '\n')) {
    ++number;
    line = WithoutComment(line);
    if (line.empty()) continue;
    const absl::string_view word = line.substr(0, line.find_first_of(" \t"));
    if (!IsFingerprint(word)) {
      return absl::InvalidArgumentError(absl::StrCat(
          name, ":", number, ": must begin with a fingerprint of 16 hexadecimal digits, is '", line,
          "'"));
    }
    baseline.entries_.try_emplace(std::string(word), Entry{std::string(line), number, false});
  }
  return baseline;
}

absl::StatusOr<Baseline> Baseline::Load(const std::string& path) {
  const absl::StatusOr<std::string> text = ReadTextFile(path);
  if (!text.ok()) return text.status();
  return Parse(*text, path);
}

bool Baseline::Knows(const Finding& finding) {
  if (!Keeps(finding.kind)) return false;
  const auto entry = entries_.find(finding.fingerprint);
  if (entry == entries_.end()) return false;
  entry->second.seen = true;
  return true;
}

std::vector<std::string> Baseline::Unseen() const {
  std::vector<std::string> unseen;
  for (const auto& [fingerprint, entry] : entries_) {
    if (!entry.seen) unseen.push_back(absl::StrCat(name_, ":", entry.line, ": ", entry.text));
  }
  return unseen;
}

void BaselineText::Add(const Finding& finding) {
  if (!Baseline::Keeps(finding.kind)) return;
  std::set<std::string> functions;
  for (const FindingThread& thread : finding.threads) {
    if (thread.role != FindingThread::Role::kInCycle) continue;
    const auto user = std::find_if(thread.stack.begin(), thread.stack.end(), IsUserFrame);
    if (user != thread.stack.end() && !user->function.empty()) functions.insert(user->function);
  }
  std::string line = KindName(finding.kind);
  if (finding.kind == FindingKind::kMisuse) absl::StrAppend(&line, " ", finding.misuse);
  if (!functions.empty()) absl::StrAppend(&line, " in ", absl::StrJoin(functions, ", "));
  lines_.try_emplace(finding.fingerprint, Printable(line));
}

std::string BaselineText::Text() const {
  std::string text = kHead;
  for (const auto& [fingerprint, line] : lines_) {
    absl::StrAppend(&text, fingerprint, " ", line, "\n");
  }
  return text;
}

}  // namespace lockwarden
