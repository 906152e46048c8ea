// What goes into an incident; how it gets onto the disk is private_directory.h's matter.
#include "watchdog/incident.h"

#include <algorithm>
#include <fstream>
#include <sstream>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_replace.h"
#include "watchdog/file_write.h"
#include "watchdog/ledger_copy.h"
#include "watchdog/printable.h"
#include "watchdog/private_directory.h"
#include "watchdog/report.h"

namespace lockwarden {
namespace {

constexpr int kMaxNameTries = 100;

// "2026-11-21T09:30:00.123Z" -> "20261121T093000Z"
std::string CompactTime(uint64_t realtime_ns) {
  const std::string time = FormatTime(realtime_ns).substr(0, 19);
  return absl::StrReplaceAll(time, {{"-", ""}, {":", ""}}) + "Z";
}

bool IsFingerprint(const std::string& text) {
  return text.size() == 16 && std::all_of(text.begin(), text.end(), absl::ascii_isxdigit);
}

std::string ModulesText(const LedgerReader& reader) {
  std::string text = "# begin-end load-bias build-id path\n";
  for (const ModuleInfo& module : reader.Modules()) {
    absl::StrAppendFormat(&text, "%x-%x %x %s %s\n", module.begin, module.end, module.base,
                          module.build_id.empty() ? "-" : absl::BytesToHexString(module.build_id),
                          Printable(module.path));
  }
  return text;
}

std::string ProcessStatus(uint32_t pid) {
  std::ifstream file(absl::StrCat("/proc/", pid, "/status"));
  std::ostringstream text;
  if (file) text << file.rdbuf();
  return text.str();
}

// `suffix` tells the files of several processes apart.
absl::Status AddLedger(const LedgerReader& reader, const std::string& suffix,
                       PrivateDirectory* directory) {
  const std::string about = absl::StrCat("ledger", suffix, ".txt");
  absl::Status status =
      directory->AddFile(absl::StrCat("modules", suffix, ".txt"), ModulesText(reader));
  if (!status.ok()) return status;
  if (!FileSizeAllowed(reader.size())) {
    return directory->AddFile(about, "not saved: RLIMIT_FSIZE is smaller than the ledger\n");
  }
  std::string summary;
  status = directory->AddFile(absl::StrCat("ledger", suffix, ".bin"), [&](int fd) {
    return CopyLedger(reader.base(), reader.size(), fd, &summary);
  });
  if (status.ok()) status = directory->AddFile(about, summary);
  return status;
}

absl::Status AddProcess(uint32_t pid, const LedgerReader* reader, const std::string& suffix,
                        PrivateDirectory* directory) {
  absl::Status status = absl::OkStatus();
  if (reader != nullptr) status = AddLedger(*reader, suffix, directory);
  if (const std::string text = ProcessStatus(pid); status.ok() && !text.empty()) {
    status = directory->AddFile(absl::StrCat("status", suffix, ".txt"), text);
  }
  return status;
}

}  // namespace

IncidentWriter::IncidentWriter(std::string directory) : directory_(std::move(directory)) {}

absl::Status IncidentWriter::Check() const {
  const absl::Status status = PrivateDirectory::Check(directory_);
  if (status.ok()) return status;
  return absl::Status(status.code(), absl::StrCat("incidents directory ", directory_,
                                                  " cannot be used: ", status.message()));
}

std::string IncidentWriter::NextId(const Finding& finding) {
  return absl::StrCat(CompactTime(finding.time_ns), "-", finding.pid, "-",
                      finding.fingerprint.substr(0, 8), "-", ++sequence_);
}

absl::Status IncidentWriter::Fill(PrivateDirectory* directory, Finding* finding,
                                  const LedgerReader* reader,
                                  absl::Span<const OtherProcess> others) {
  absl::Status status = AddProcess(finding->pid, reader, "", directory);
  for (const OtherProcess& other : others) {
    if (!status.ok()) break;
    status = AddProcess(other.pid, other.reader, absl::StrCat("-", other.pid), directory);
  }
  // The reports name the incident. A name can be taken: pids repeat over containers.
  std::string id = NextId(*finding);
  for (int i = 0; i < kMaxNameTries && directory->IsTaken(id); ++i) id = NextId(*finding);
  finding->incident = id;
  if (status.ok()) status = directory->AddFile("report.json", FormatJson(*finding) + "\n");
  if (status.ok()) status = directory->AddFile("report.txt", FormatText(*finding, TextStyle()));
  if (status.ok()) status = directory->Publish(id);
  return status;
}

absl::Status IncidentWriter::Write(Finding* finding, const LedgerReader* reader,
                                   absl::Span<const OtherProcess> others) {
  finding->incident.clear();
  if (!IsFingerprint(finding->fingerprint)) finding->fingerprint = Fingerprint(*finding);
  absl::StatusOr<std::unique_ptr<PrivateDirectory>> directory =
      PrivateDirectory::Create(directory_);
  if (!directory.ok()) return directory.status();
  const absl::Status status = Fill(directory->get(), finding, reader, others);
  if (status.ok()) return status;
  finding->incident.clear();
  return absl::Status(status.code(), absl::StrCat(directory_, ": ", status.message()));
}

}  // namespace lockwarden
