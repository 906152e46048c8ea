// Findings in, reports and counts out.
#include "watchdog/finding_desk.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "watchdog/exit_status.h"
#include "watchdog/incident_quota.h"
#include "watchdog/frames.h"
#include "watchdog/printable.h"
#include "watchdog/report.h"

namespace lockwarden {
namespace {

std::string Plural(uint64_t count, const char* noun) {
  return absl::StrCat(count, " ", noun, count == 1 ? "" : "s");
}

constexpr size_t kMostReportBytes = 1u << 18;
constexpr char kCrash[] = "crash";

bool IsDeadlock(FindingKind kind) {
  return kind == FindingKind::kDeadlock || kind == FindingKind::kSelfDeadlock;
}

}  // namespace

FindingDesk::FindingDesk(const Options& options, IncidentWriter* incidents, ReportSink* reports,
                         ReportSink* notices)
    : options_(options), incidents_(incidents), reports_(reports), notices_(notices) {}

void FindingDesk::Filter(Suppressions* suppressions, Baseline* baseline) {
  suppressions_ = suppressions;
  baseline_ = baseline;
}

// Both are asked about every finding: an entry that is never met is told at the end.
bool FindingDesk::IsFiltered(const Finding& finding) {
  const bool suppressed = suppressions_ != nullptr && suppressions_->Covers(finding);
  if (!suppressed) all_.Add(finding);
  const bool known = baseline_ != nullptr && baseline_->Knows(finding);
  if (!suppressed && !known) return false;
  ++(suppressed ? suppressed_ : known_);
  if (options_.verbose) {
    Notice(absl::StrCat("not told, ",
                        suppressed ? "suppressed: " : "known: ", Printable(finding.headline),
                        " (pid ", finding.pid, ", fingerprint ", finding.fingerprint, ")"));
  }
  return true;
}

void FindingDesk::Notice(absl::string_view text) {
  // Names of the program's may be part of it.
  notices_->Write(absl::StrCat("lockwarden: ", Printable(std::string(text)), "\n"));
}

void FindingDesk::Take(Finding* finding, const LedgerReader* reader,
                       absl::Span<const OtherProcess> others) {
  finding->fingerprint = Fingerprint(*finding);
  if (IsFiltered(*finding)) return;
  ++findings_[KindName(finding->kind)];
  if (finding->kind == FindingKind::kMisuse) ++misuse_[finding->misuse];
  counts_for_exit_code_ |= CountsForExitCode(finding->kind);
  const bool again = series_.contains(finding->fingerprint);
  if (IsDeadlock(finding->kind)) {
    last_deadlock_seconds_ = static_cast<double>(finding->time_ns) / 1e9;
  } else if (again && !finding->fingerprint.empty()) {
    ++repeats_;
    Repeat(*finding);
    return;
  }
  last_headline_ = finding->headline;
  const bool kept = Keep(finding, KindName(finding->kind),
                         [&](const Seen& seen, absl::Span<const EvidenceFile> added) {
                           return incidents_->Write(finding, reader, others, seen, added);
                         });
  const uint64_t lost = reports_->lost();
  const TextStyle style = {.color = reports_->terminal(), .incidents = options_.incidents_shown};
  reports_->Write(options_.format == ReportFormat::kJson ? FormatJson(*finding) + "\n"
                                                         : FormatText(*finding, style));
  // What found no place elsewhere is said where somebody may still read it.
  if (reports_ != notices_ && (!kept || reports_->lost() != lost)) {
    notices_->Write(FormatText(
        *finding, {.color = notices_->terminal(), .incidents = options_.incidents_shown}));
  }
  if (hook_) hook_(*finding, nullptr);
  if (journal_ != nullptr) journal_->Tell(*finding, KindName(finding->kind));
  Show(*finding);
}

bool FindingDesk::TakeCrash(Crash* crash, const LedgerReader* reader) {
  if (!IsWorthTelling(*crash)) return false;
  Finding* const scene = &crash->scene;
  scene->fingerprint = Fingerprint(*scene);
  const bool kept =
      Keep(scene, kCrash, [&](const Seen& seen, absl::Span<const EvidenceFile> added) {
        return incidents_->Write(crash, reader, seen, added);
      });
  Notice(absl::StrCat(
      CrashLine(*crash), scene->incident.empty() ? "" : ", incident ",
      scene->incident.empty() ? "" : absl::StrCat(options_.incidents_shown, "/", scene->incident)));
  if (!kept) notices_->Write(FormatCrashText(*crash));
  if (hook_) hook_(*scene, kCrash);
  if (journal_ != nullptr) journal_->Tell(*scene, kCrash);
  return true;
}

// Kept in memory: a disk that hangs must not take the page with it.
void FindingDesk::Show(const Finding& finding) {
  auto shown = std::make_shared<ShownFinding>();
  shown->number = ++told_;
  shown->kind = KindName(finding.kind);
  shown->confidence = ConfidenceName(finding.confidence);
  shown->headline = Printable(finding.headline);
  shown->program = Printable(Basename(finding.program));
  shown->pid = finding.pid;
  shown->time_seconds = static_cast<double>(finding.time_ns) / 1e9;
  shown->incident = finding.incident;
  shown->text = FormatText(finding, TextStyle()).substr(0, kMostReportBytes);
  shown->json = FormatJson(finding);
  if (shown->json.size() > kMostReportBytes) shown->json.clear();
  for (const FindingThread& thread : finding.threads) {
    if (!IsDeadlock(finding.kind) || thread.role == FindingThread::Role::kOther) continue;
    shown->threads.push_back({thread.pid == 0 ? finding.pid : thread.pid, thread.tid});
  }
  if (shown_.size() == kMostShownFindings) shown_.pop_front();
  shown_.push_back(std::move(shown));
}

void FindingDesk::Repeat(const Finding& finding) {
  Series& series = series_[finding.fingerprint];
  ++series.seen.count;
  series.seen.last_ns = finding.time_ns;
  if (series.incident.empty()) return;
  const absl::Status status = incidents_->Update(series.incident, finding.fingerprint, series.seen);
  if (status.ok()) return;
  if (absl::IsFailedPrecondition(status)) {
    series.incident.clear();  // removed, for the quota or by somebody
    return;
  }
  ++write_errors_;
  Notice(absl::StrCat("cannot count in incident ", series.incident, ": ", status.message()));
}

bool FindingDesk::Keep(Finding* finding, const char* kind, const Write& write) {
  Series& series = series_[finding->fingerprint];
  const uint64_t count = series.seen.count + (series.seen.first_ns == 0 ? 0 : 1);
  if (series.seen.first_ns == 0) series.seen.first_ns = finding->time_ns;
  if ((count & (count - 1)) != 0 && !series.incident.empty()) {
    Repeat(*finding);
    finding->incident = series.incident;
    if (!series.incident.empty()) return ++not_written_again_, true;
  }
  series.seen.count = count;
  series.seen.last_ns = finding->time_ns;
  if (incidents_ == nullptr) return false;
  series.seen.written = count == 1 ? 1 : series.seen.written + 1;
  const std::vector<EvidenceFile> added =
      evidence_ ? evidence_(*finding, kind) : std::vector<EvidenceFile>();
  const absl::Status status = write(series.seen, added);
  if (!status.ok()) {
    ++write_errors_;
    Notice(absl::StrCat("cannot write the incident: ", status.message()));
    return false;
  }
  ++written_[kind];
  series.incident = finding->incident;
  last_incident_ = finding->incident;
  last_incident_seconds_ = static_cast<double>(finding->time_ns) / 1e9;
  KeepQuota(finding->incident);
  return true;
}

void FindingDesk::KeepQuota(const std::string& newest) {
  const QuotaResult kept =
      KeepWithinQuota(options_.incidents, static_cast<uint64_t>(options_.incidents_max),
                      static_cast<uint64_t>(options_.incidents_mb) * 1'000'000, newest);
  removed_ += kept.removed;
  not_removed_ = kept.failed;
  bytes_ = kept.bytes;
}

void FindingDesk::CopyTo(MetricsView* view) const {
  view->findings = findings_;
  view->misuse = misuse_;
  view->incidents = written_;
  view->incident_write_errors = write_errors_;
  view->incident_bytes = bytes_;
  view->incidents_removed = removed_;
  view->counts.suppressed["suppression"] = suppressed_;
  view->counts.suppressed["baseline"] = known_;
  view->counts.suppressed["repeat"] = repeats_ + merged_;
  view->counts.suppressed["incident"] = not_written_again_;
  view->last_incident = last_incident_;
  view->last_incident_seconds = last_incident_seconds_;
  view->shown_findings.assign(shown_.begin(), shown_.end());
  view->deadlock_last_timestamp_seconds = last_deadlock_seconds_;
  for (FindingKind kind : {FindingKind::kDeadlock, FindingKind::kSelfDeadlock}) {
    const auto found = findings_.find(KindName(kind));
    view->deadlocks[KindName(kind)] = found == findings_.end() ? 0 : found->second;
  }
}

std::string CountFindings(const std::map<std::string, uint64_t>& by_kind) {
  uint64_t total = 0;
  std::string kinds;
  for (const auto& [kind, count] : by_kind) {
    total += count;
    absl::StrAppend(&kinds, kinds.empty() ? "" : ", ", count, " ",
                    absl::StrReplaceAll(kind, {{"_", " "}}));
  }
  return absl::StrCat(total, total == 1 ? " finding (" : " findings (", kinds, ")");
}

void FindingDesk::SummarizeFilters(std::vector<std::string>* lines) const {
  constexpr size_t kListed = 20;
  const auto list = [&](const char* what, const std::vector<std::string>& entries) {
    for (size_t i = 0; i < entries.size() && i < kListed; ++i) {
      lines->push_back(absl::StrCat(what, entries[i]));
    }
    if (entries.size() > kListed) {
      lines->push_back(absl::StrCat(what, entries.size() - kListed, " more"));
    }
  };
  if (suppressed_ != 0) {
    lines->push_back(absl::StrCat(Plural(suppressed_, "finding"), " suppressed"));
  }
  if (known_ != 0) {
    lines->push_back(absl::StrCat(Plural(known_, "finding"), " known from the baseline"));
  }
  if (suppressions_ != nullptr) list("unused suppression: ", suppressions_->Unused());
  if (baseline_ != nullptr) list("in the baseline, not seen: ", baseline_->Unseen());
}

std::vector<std::string> FindingDesk::Summary(const LedgerTotals& totals, uint64_t refused) const {
  std::vector<std::string> lines;
  if (!findings_.empty()) {
    lines.push_back(absl::StrCat(
        CountFindings(findings_),
        written_.empty() ? "" : absl::StrCat(", incidents in ", options_.incidents_shown)));
  }
  if (repeats_ != 0) {
    lines.push_back(absl::StrCat(repeats_, " of them the same as one reported before"));
  }
  if (not_written_again_ != 0) {
    lines.push_back(absl::StrCat(not_written_again_, not_written_again_ == 1 ? " was" : " were",
                                 " only counted in an incident of the same kind"));
  }
  if (removed_ != 0) {
    lines.push_back(absl::StrCat(removed_, " older incident", removed_ == 1 ? "" : "s",
                                 " removed: incidents_max=", options_.incidents_max,
                                 ", incidents_mb=", options_.incidents_mb));
  }
  if (not_removed_ != 0) {
    lines.push_back(absl::StrCat(not_removed_, " older incident", not_removed_ == 1 ? "" : "s",
                                 " could not be removed"));
  }
  if (merged_ != 0) {
    lines.push_back(absl::StrCat(merged_, " more in the same functions as one of them"));
  }
  SummarizeFilters(&lines);
  if (write_errors_ != 0) {
    lines.push_back(absl::StrCat(write_errors_, write_errors_ == 1 ? " incident" : " incidents",
                                 " could not be written"));
  }
  if (reports_->lost() != 0) {
    lines.push_back(absl::StrCat(reports_->lost(),
                                 reports_->lost() == 1 ? " report was" : " reports were",
                                 " cut short: ", reports_->why_lost()));
  }
  for (const auto& [name, count] : totals.dropped) {
    if (count != 0) lines.push_back(absl::StrCat("dropped records: ", name, " ", count));
  }
  if (totals.stepped_aside != 0) {
    lines.push_back(absl::StrCat("recording was given up in ", totals.stepped_aside,
                                 totals.stepped_aside == 1 ? " process" : " processes"));
  }
  if (refused != 0) lines.push_back(absl::StrCat("refused registrations: ", refused));
  return lines;
}

}  // namespace lockwarden
