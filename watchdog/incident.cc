// What goes into an incident; how it gets onto the disk is private_directory.h's matter.
#include "watchdog/incident.h"

#include <algorithm>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_replace.h"
#include "watchdog/crash.h"
#include "watchdog/file_write.h"
#include "watchdog/ledger_copy.h"
#include "watchdog/printable.h"
#include "watchdog/private_directory.h"
#include "watchdog/report.h"
#include "watchdog/report/report_html.h"

namespace lockwarden {
namespace {

constexpr int kMaxNameTries = 100;
constexpr char kSeenFile[] = "seen.json";

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

std::string SeenJson(const std::string& fingerprint, const Seen& seen) {
  return absl::StrCat("{\"schema_version\": 1, \"fingerprint\": \"", fingerprint,
                      "\", \"count\": ", seen.count, ", \"incidents\": ", seen.written,
                      ", \"first_seen\": \"", FormatTime(seen.first_ns), "\", \"last_seen\": \"",
                      FormatTime(seen.last_ns), "\"}\n");
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
  for (const EvidenceFile& file : ProcessEvidence(static_cast<int>(pid))) {
    if (!status.ok()) break;
    status = directory->AddFile(absl::StrCat(file.name, suffix, ".txt"), file.text);
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

absl::Status IncidentWriter::Fill(PrivateDirectory* directory, const Content& content) {
  Finding* const finding = content.finding;
  absl::Status status = AddProcess(content.pid, content.reader, "", directory);
  for (const OtherProcess& other : content.others) {
    if (!status.ok()) break;
    status = AddProcess(other.pid, other.reader, absl::StrCat("-", other.pid), directory);
  }
  for (const EvidenceFile& file : content.added) {
    if (status.ok()) status = directory->AddFile(file.name, file.text);
  }
  // The reports name the incident. A name can be taken: pids repeat over containers.
  std::string id = NextId(*finding);
  for (int i = 0; i < kMaxNameTries && directory->IsTaken(id); ++i) id = NextId(*finding);
  finding->incident = id;
  if (status.ok()) {
    status = directory->AddFile(kSeenFile, SeenJson(finding->fingerprint, content.seen));
  }
  if (status.ok()) status = directory->AddFile("report.json", content.json() + "\n");
  if (status.ok()) status = directory->AddFile("report.txt", content.text());
  if (status.ok() && content.html != nullptr) {
    status = directory->AddFile("report.html", content.html());
  }
  if (status.ok()) status = directory->Publish(id);
  return status;
}

absl::Status IncidentWriter::WriteContent(const Content& content) {
  Finding* const finding = content.finding;
  finding->incident.clear();
  if (!IsFingerprint(finding->fingerprint)) finding->fingerprint = Fingerprint(*finding);
  absl::StatusOr<std::unique_ptr<PrivateDirectory>> directory =
      PrivateDirectory::Create(directory_);
  if (!directory.ok()) return directory.status();
  const absl::Status status = Fill(directory->get(), content);
  if (status.ok()) return status;
  finding->incident.clear();
  return absl::Status(status.code(), absl::StrCat(directory_, ": ", status.message()));
}

absl::Status IncidentWriter::Write(Finding* finding, const LedgerReader* reader,
                                   absl::Span<const OtherProcess> others, const Seen& seen,
                                   absl::Span<const EvidenceFile> added) {
  return WriteContent({.finding = finding,
                       .pid = finding->pid,
                       .reader = reader,
                       .others = others,
                       .added = added,
                       .seen = seen,
                       .json = [&] { return FormatJson(*finding); },
                       .text = [&] { return FormatText(*finding, TextStyle()); },
                       .html = [&] { return FormatHtml({finding, 1}); }});
}

absl::Status IncidentWriter::Write(Crash* crash, const LedgerReader* reader, const Seen& seen,
                                   absl::Span<const EvidenceFile> added) {
  return WriteContent({.finding = &crash->scene,
                       .reader = reader,
                       .added = added,
                       .seen = seen,
                       .json = [&] { return FormatCrashJson(*crash); },
                       .text = [&] { return FormatCrashText(*crash); }});
}

absl::Status IncidentWriter::Update(const std::string& id, const std::string& fingerprint,
                                    const Seen& seen) {
  return PrivateDirectory::ReplaceFile(directory_, id, kSeenFile, SeenJson(fingerprint, seen));
}

}  // namespace lockwarden
