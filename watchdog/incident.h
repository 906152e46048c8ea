// IncidentWriter: one directory per incident, complete or not there at all.
//
// DIR/<id>/ holds report.json, report.txt, ledger.bin (the black box, sparse), ledger.txt
// (what of the ledger was saved), modules.txt and status.txt (/proc/PID/status, when the
// process still lives). If other processes are part of it, their ledgers and so on lie beside
// these as ledger-PID.bin, ... It is written under a temporary name in DIR and renamed: a reader
// never sees half of one. Directories 0700, files 0600; neither DIR nor anything in it is
// reached through a symbolic link.
//
// Thread safety: not thread-safe. Must never: throw away the finding when the disk
// is full; the caller still has it and prints it.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/types/span.h"
#include "watchdog/finding.h"
#include "watchdog/snapshot.h"

namespace lockwarden {

class PrivateDirectory;

// A process of a finding beside the one that it names first; `reader` as long as the call.
struct OtherProcess {
  uint32_t pid = 0;
  const LedgerReader* reader = nullptr;
};

class IncidentWriter {
 public:
  explicit IncidentWriter(std::string directory);

  // Whether incidents could be written there: creates nothing that it does not remove.
  // Errors: one clear line that names the directory and the reason.
  absl::Status Check() const;

  // Writes the incident and sets finding->incident to its id (date, pid, fingerprint and
  // a number: sorts by time). `reader` may be null. On failure nothing is left behind,
  // not even a DIR that was created for it, and finding->incident stays empty.
  absl::Status Write(Finding* finding, const LedgerReader* reader,
                     absl::Span<const OtherProcess> others = {});

  const std::string& directory() const { return directory_; }

 private:
  std::string NextId(const Finding& finding);
  absl::Status Fill(PrivateDirectory* directory, Finding* finding, const LedgerReader* reader,
                    absl::Span<const OtherProcess> others);

  std::string directory_;
  int sequence_ = 0;
};

}  // namespace lockwarden
