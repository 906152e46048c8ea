// See finding_groups.h.
#include "watchdog/report/finding_groups.h"

#include <algorithm>
#include <map>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "watchdog/frames.h"
#include "watchdog/report.h"

namespace lockwarden {
namespace {

// What happens now comes before what might.
int Rank(const Finding& finding) {
  switch (finding.kind) {
    case FindingKind::kDeadlock:
    case FindingKind::kSelfDeadlock:
      return 0;
    case FindingKind::kNestedMonitor:
    case FindingKind::kLostWakeup:
      return 1;
    case FindingKind::kStall:
      return 2;
    case FindingKind::kOrderViolation:
      return 3;
    case FindingKind::kPotentialDeadlock:
      return 4;
    case FindingKind::kSignalUnsafeLock:
      return 5;
    case FindingKind::kMisuse:
      return 6;
  }
  return 7;
}

}  // namespace

std::vector<FindingGroup> GroupFindings(absl::Span<const Finding> findings) {
  std::vector<FindingGroup> groups;
  std::map<std::string, size_t> known;  // fingerprint -> place in `groups`
  for (const Finding& finding : findings) {
    size_t at = groups.size();
    if (!finding.fingerprint.empty()) {
      at = known.try_emplace(finding.fingerprint, groups.size()).first->second;
    }
    if (at == groups.size()) groups.push_back({&finding, 0, finding.time_ns, finding.time_ns});
    FindingGroup& group = groups[at];
    ++group.times;
    group.first_ns = std::min(group.first_ns, finding.time_ns);
    if (finding.time_ns > group.last_ns) {
      group.newest = &finding;
      group.last_ns = finding.time_ns;
    }
  }
  std::stable_sort(groups.begin(), groups.end(), [](const FindingGroup& a, const FindingGroup& b) {
    const int rank_a = Rank(*a.newest), rank_b = Rank(*b.newest);
    if (rank_a != rank_b) return rank_a < rank_b;
    if (a.newest->confidence != b.newest->confidence) {
      return a.newest->confidence > b.newest->confidence;
    }
    if (a.last_ns != b.last_ns) return a.last_ns > b.last_ns;
    return a.newest->fingerprint < b.newest->fingerprint;
  });
  return groups;
}

std::string TimesText(const FindingGroup& group) {
  if (group.times < 2) return "";
  return absl::StrCat(group.times, " times, from ", FormatTime(group.first_ns), " to ",
                      FormatTime(group.last_ns));
}

const char* LevelName(const Finding& finding) {
  if (Rank(finding) <= 2 && finding.confidence >= Confidence::kLikely) return "error";
  return finding.confidence == Confidence::kPossible ? "note" : "warning";
}

const StackFrame* SourceFrame(const StackTrace& stack) {
  const StackFrame* any = nullptr;
  for (const StackFrame& frame : stack) {
    if (frame.file.empty() || frame.line <= 0) continue;
    if (IsUserFrame(frame)) return &frame;
    if (any == nullptr) any = &frame;
  }
  return any;
}

const StackFrame* SourceFrame(const Finding& finding) {
  for (const FindingThread& thread : finding.threads) {
    if (thread.role != FindingThread::Role::kInCycle) continue;
    if (const StackFrame* frame = SourceFrame(thread.stack); frame != nullptr) return frame;
    for (const FindingHold& hold : thread.holds) {
      if (const StackFrame* frame = SourceFrame(hold.stack); frame != nullptr) return frame;
    }
  }
  return nullptr;
}

std::string WithoutRoot(const std::string& file, const std::string& root) {
  const std::string folder = absl::EndsWith(root, "/") ? root : root + "/";
  return root.empty() || !absl::StartsWith(file, folder) ? file : file.substr(folder.size());
}

}  // namespace lockwarden
