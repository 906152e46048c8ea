// IncidentWriter: one directory per incident, complete or not there at all.
//
// DIR/<id>/ holds report.json, report.txt, ledger.bin (the black box, sparse), ledger.txt
// (what of the ledger was saved), modules.txt, what the kernel says of the process
// (process_evidence.h), seen.json (how often the same was met) and what the caller adds. If other
// processes are part of it, their ledgers and so on lie beside
// these as ledger-PID.bin, ... It is written under a temporary name in DIR and renamed: a reader
// never sees half of one. Directories 0700, files 0600; neither DIR nor anything in it is
// reached through a symbolic link.
//
// Thread safety: not thread-safe. Must never: throw away the finding when the disk
// is full; the caller still has it and prints it.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/types/span.h"
#include "watchdog/finding.h"
#include "watchdog/process_evidence.h"
#include "watchdog/snapshot.h"

namespace lockwarden {

class PrivateDirectory;
struct Crash;

// A process of a finding beside the one that it names first; `reader` as long as the call.
struct OtherProcess {
  uint32_t pid = 0;
  const LedgerReader* reader = nullptr;
};

// How often what has one fingerprint was met in this run.
struct Seen {
  uint64_t count = 1;
  uint64_t first_ns = 0, last_ns = 0;  // CLOCK_REALTIME
  uint64_t written = 1;                // incidents; the others were counted only
};

class IncidentWriter {
 public:
  explicit IncidentWriter(std::string directory);

  // Whether incidents could be written there: creates nothing that it does not remove.
  // Errors: one clear line that names the directory and the reason.
  absl::Status Check() const;

  // Writes the incident and sets finding->incident to its id (date, pid, fingerprint and
  // a number: sorts by time). `reader` may be null. On failure nothing is left behind,
  // not even a DIR that was created for it, and finding->incident stays empty. `added`:
  // further files, by their whole names.
  absl::Status Write(Finding* finding, const LedgerReader* reader,
                     absl::Span<const OtherProcess> others = {}, const Seen& seen = {},
                     absl::Span<const EvidenceFile> added = {});
  // The same of a process that was killed; sets crash->scene.incident.
  absl::Status Write(Crash* crash, const LedgerReader* reader, const Seen& seen,
                     absl::Span<const EvidenceFile> added);
  // Brings seen.json of an incident up to date. Errors: kFailedPrecondition when the incident is
  // no longer there; the old file is whole in any case.
  absl::Status Update(const std::string& id, const std::string& fingerprint, const Seen& seen);

  const std::string& directory() const { return directory_; }

 private:
  // What an incident is made of; the reports are asked for once its id is known.
  struct Content {
    Finding* finding = nullptr;  // of a crash: its scene
    uint32_t pid = 0;            // 0: the process has ended
    const LedgerReader* reader = nullptr;
    absl::Span<const OtherProcess> others = {};
    absl::Span<const EvidenceFile> added = {};
    Seen seen = {};
    std::function<std::string()> json, text;
    std::function<std::string()> html = nullptr;  // null: no page of it
  };

  std::string NextId(const Finding& finding);
  absl::Status Fill(PrivateDirectory* directory, const Content& content);
  absl::Status WriteContent(const Content& content);

  std::string directory_;
  int sequence_ = 0;
};

}  // namespace lockwarden
