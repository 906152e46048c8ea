// Journal: tells systemd's journal of each incident with fields of its own, so that
// `journalctl LOCKWARDEN_INCIDENT=...` finds what the log line, the metrics and the hook name.
// systemd's native protocol: one datagram, a field a line.
//
// Written and read by: the supervisor's loop. Not thread-safe. Must never: block, or speak to a
// journal that standard error does not go to.
#pragma once

#include <cstdint>
#include <string>

#include "watchdog/finding.h"
#include "watchdog/unique_fd.h"

namespace lockwarden {

class Journal {
 public:
  // `stream`: JOURNAL_STREAM, "DEVICE:INODE" of what standard error is, if systemd set it.
  // `socket`: where the journal listens.
  Journal(const std::string& stream, std::string socket = "/run/systemd/journal/socket");

  bool listens() const { return fd_.valid(); }
  // `kind`: "deadlock", "crash", ...
  void Tell(const Finding& finding, const char* kind);
  // Messages that could not be delivered.
  uint64_t lost() const { return lost_; }

 private:
  const std::string socket_;
  UniqueFd fd_;
  uint64_t lost_ = 0;
};

}  // namespace lockwarden
