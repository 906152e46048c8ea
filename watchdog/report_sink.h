// ReportSink: where reports and the supervisor's own lines go. A reader that has stopped
// reading must not stop the supervisor: what cannot be written within a second is
// dropped and counted.
//
// Written by: the supervisor's thread. Not thread-safe.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "watchdog/unique_fd.h"

namespace lockwarden {

class ReportSink {
 public:
  // Standard error; not owned.
  static ReportSink Stderr();
  // Appends to `path`, which is made (0600) if it is not there. Errors: one line.
  static absl::StatusOr<ReportSink> File(const std::string& path);

  // Writes all of `text`, or counts it as lost.
  void Write(absl::string_view text);

  bool terminal() const { return terminal_; }
  uint64_t lost() const { return lost_; }
  // Why the first of them was: "nobody read them", "No space left on device", ...
  const std::string& why_lost() const { return why_lost_; }

 private:
  ReportSink(int fd, UniqueFd owned);
  // False: no more of it can be written; errno says why, 0 that nobody reads.
  bool WritePart(absl::string_view* text);

  int fd_;
  UniqueFd owned_;
  bool terminal_ = false, regular_ = false;
  uint64_t lost_ = 0;
  std::string why_lost_;
};

}  // namespace lockwarden
