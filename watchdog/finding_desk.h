// FindingDesk: what becomes of a finding: fingerprint, incident, report, counts; and the
// summary at the end.
//
// Written and read by: the supervisor's loop. Not thread-safe. Must never: lose a finding
// because a disk is full or a pipe is.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "watchdog/baseline.h"
#include "watchdog/crash.h"
#include "watchdog/finding.h"
#include "watchdog/incident.h"
#include "watchdog/journal.h"
#include "watchdog/ledger_totals.h"
#include "watchdog/metrics_view.h"
#include "watchdog/options.h"
#include "watchdog/report_sink.h"
#include "watchdog/suppressions.h"

namespace lockwarden {

class FindingDesk {
 public:
  // `incidents` may be null (nowhere to write them). `notices` takes the supervisor's own
  // lines, `reports` the findings; they may be the same. All outlive the desk.
  FindingDesk(const Options& options, IncidentWriter* incidents, ReportSink* reports,
              ReportSink* notices);
  // Called with each finding that is told, once its incident is written, or could not be; and
  // with the scene of a crash, whose kind is given.
  using Hook = std::function<void(const Finding&, const char* kind)>;
  void SetHook(Hook hook) { hook_ = std::move(hook); }

  // Called before an incident is written: what the writer cannot know (metrics, stacks), by
  // whole file names. `kind`: "deadlock", "crash", ...
  using Evidence = std::function<std::vector<EvidenceFile>(const Finding&, const char* kind)>;
  void SetEvidence(Evidence evidence) { evidence_ = std::move(evidence); }
  void SetJournal(Journal* journal) { journal_ = journal; }

  // What is suppressed or known is counted, not told. Either may be null; both outlive the desk.
  void Filter(Suppressions* suppressions, Baseline* baseline);

  // Fills in fingerprint and incident. `reader` may be null; `others` as for IncidentWriter.
  // A finding other than a deadlock whose fingerprint was seen before in this run (in another
  // process, or before a restart) is counted, not told again.
  void Take(Finding* finding, const LedgerReader* reader,
            absl::Span<const OtherProcess> others = {});

  // A process was killed: an incident and one line, if it held or waited for anything. `reader`
  // may be null. Sets crash->scene's fingerprint and incident. False: there was nothing to tell.
  bool TakeCrash(Crash* crash, const LedgerReader* reader);

  // So many more were the same as one that a judge had told.
  void CountMerged(uint64_t count) { merged_ += count; }

  // A line "lockwarden: TEXT" on standard error.
  void Notice(absl::string_view text);

  bool any_counts_for_exit_code() const { return counts_for_exit_code_; }
  // Of the last finding that was told; empty: none was.
  const std::string& last_headline() const { return last_headline_; }
  void CopyTo(MetricsView* view) const;
  // Lines for the end of the run; empty when there is nothing to say.
  std::vector<std::string> Summary(const LedgerTotals& totals, uint64_t refused) const;
  // All that a baseline would keep, known or new.
  std::string NewBaseline() const { return all_.Text(); }

 private:
  bool IsFiltered(const Finding& finding);
  void SummarizeFilters(std::vector<std::string>* lines) const;
  void Show(const Finding& finding);
  using Write = std::function<absl::Status(const Seen&, absl::Span<const EvidenceFile>)>;
  // For the 1st, 2nd, 4th, 8th, ... time that something is met; in between the newest incident
  // of it keeps the count. False: it should have been written, and could not be.
  bool Keep(Finding* finding, const char* kind, const Write& write);
  void Repeat(const Finding& finding);
  void KeepQuota(const std::string& newest);

  const Options& options_;
  IncidentWriter* incidents_;
  ReportSink* reports_;
  ReportSink* notices_;
  std::map<std::string, uint64_t> findings_, misuse_, written_;
  struct Series {
    Seen seen;
    std::string incident;  // the newest; empty: none was written
  };
  std::map<std::string, Series> series_;  // by fingerprint
  Evidence evidence_;
  Journal* journal_ = nullptr;
  uint64_t not_written_again_ = 0;
  std::string last_incident_;
  double last_incident_seconds_ = 0;
  Hook hook_;
  uint64_t removed_ = 0, not_removed_ = 0, bytes_ = 0;  // of incidents, for the quota
  std::deque<std::shared_ptr<const ShownFinding>> shown_;
  uint64_t told_ = 0;
  std::string last_headline_;
  Suppressions* suppressions_ = nullptr;
  Baseline* baseline_ = nullptr;
  BaselineText all_;
  uint64_t repeats_ = 0, merged_ = 0, write_errors_ = 0;
  uint64_t suppressed_ = 0, known_ = 0;
  double last_deadlock_seconds_ = 0;
  bool counts_for_exit_code_ = false;
};

// "1 finding (1 deadlock)", "3 findings (2 deadlock, 1 misuse)". Pure.
std::string CountFindings(const std::map<std::string, uint64_t>& by_kind);

}  // namespace lockwarden
