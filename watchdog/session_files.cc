// One file after the other; the first that cannot be had is the error.
#include "watchdog/session_files.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "watchdog/report/lock_graph_save.h"
#include "watchdog/text_file.h"

namespace lockwarden {
namespace {

absl::Status Failed(absl::string_view option, const absl::Status& status) {
  return absl::InvalidArgumentError(absl::StrCat(option, ": ", status.message()));
}

// Into `out` unless no file is named.
template <class File, class Out>
absl::Status Load(absl::string_view option, const std::string& path, Out* out) {
  if (path.empty()) return absl::OkStatus();
  auto loaded = File::Load(path);
  if (!loaded.ok()) return Failed(option, loaded.status());
  *out = *std::move(loaded);
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::string> ReadCredentials(const std::string& path) {
  const UniqueFd fd(open(path.c_str(), O_RDONLY | O_CLOEXEC));
  struct stat status {};
  char text[256];
  const ssize_t size = fd.valid() ? read(fd.get(), text, sizeof text) : -1;
  if (size < 0 || fstat(fd.get(), &status) != 0) {
    return absl::InvalidArgumentError(absl::StrCat(path, ": ", std::strerror(errno)));
  }
  // A password that others can read is worth an error.
  if ((status.st_mode & (S_IRGRP | S_IROTH)) != 0) {
    return absl::InvalidArgumentError(absl::StrCat(path, ": others can read it; chmod 600"));
  }
  absl::string_view line(text, static_cast<size_t>(size));
  line = absl::StripSuffix(line, "\n");
  const size_t colon = line.find(':');
  if (colon == 0 || colon == line.npos || colon + 1 == line.size() || line.size() == sizeof text ||
      line.find('\n') != line.npos) {
    return absl::InvalidArgumentError(absl::StrCat(path, ": must be one line, user:password"));
  }
  return std::string(line);
}

absl::StatusOr<std::unique_ptr<SessionFiles>> SessionFiles::Open(Options* options) {
  std::unique_ptr<SessionFiles> files(new SessionFiles);
  if (!options->metrics_password.empty()) {
    auto credentials = ReadCredentials(options->metrics_password);
    if (!credentials.ok()) return Failed("metrics_password", credentials.status());
    options->metrics_credentials = *std::move(credentials);
  }
  absl::Status status = Load<OrderRules>("rules", options->rules, &files->rules_);
  if (status.ok()) {
    status = Load<Suppressions>("suppressions", options->suppressions, &files->suppressions_);
  }
  if (status.ok()) status = Load<Baseline>("baseline", options->baseline, &files->baseline_);
  if (!status.ok()) return status;
  if (!options->report.empty()) {
    auto opened = ReportSink::File(options->report);
    if (!opened.ok()) return opened.status();
    files->report_ = std::make_unique<ReportSink>(*std::move(opened));
  }
  if (!options->write_baseline.empty()) {
    // What cannot be written is said before the program has run for an hour.
    status = CheckReplaceable(options->write_baseline);
    if (!status.ok()) return Failed("write_baseline", status);
  }
  if (!options->lock_graph.empty()) {
    status = CheckLockGraphDirectory(options->lock_graph);
    if (!status.ok()) return Failed("lock_graph", status);
  }
  return files;
}

std::unique_ptr<FindingDesk> SessionFiles::MakeDesk(const Options& options,
                                                    IncidentWriter* incidents,
                                                    ReportSink* notices) {
  auto desk = std::make_unique<FindingDesk>(options, incidents,
                                            report_ == nullptr ? notices : report_.get(), notices);
  desk->Filter(suppressions_.has_value() ? &*suppressions_ : nullptr,
               baseline_.has_value() ? &*baseline_ : nullptr);
  return desk;
}

void SessionFiles::WriteBaseline(const Options& options, FindingDesk* desk) const {
  if (options.write_baseline.empty()) return;
  const absl::Status written = ReplaceTextFile(options.write_baseline, desk->NewBaseline());
  if (!written.ok()) desk->Notice(absl::StrCat("write_baseline: ", written.message()));
}

}  // namespace lockwarden
