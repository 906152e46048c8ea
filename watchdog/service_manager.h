// ServiceManager: what systemd, or whoever else set NOTIFY_SOCKET, is told: that PROGRAM was
// started, that it is well, what is wrong with it. sd_notify(3) is the protocol.
//
// Written and read by: the supervisor's loop. Not thread-safe. Must never: block, or say that
// a program is well while it is deadlocked.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <vector>

#include "watchdog/unique_fd.h"

namespace lockwarden {

class ServiceManager {
 public:
  struct Address {
    std::string socket;          // a path, or @ and an abstract name; empty: nobody listens
    uint64_t watchdog_usec = 0;  // 0: no sign of life is expected
  };
  // NOTIFY_SOCKET, WATCHDOG_USEC and WATCHDOG_PID ("NAME=value" each); what is meant for
  // another process than `pid` is not ours.
  static Address Find(const std::vector<std::string>& environment, pid_t pid);
  // The environment without these; with `keep_socket`, NOTIFY_SOCKET stays.
  static std::vector<std::string> Without(std::vector<std::string> environment, bool keep_socket);

  explicit ServiceManager(Address address);

  bool listens() const { return socket_.valid(); }
  void Ready();     // once, however often it is called
  void Stopping();  // the same
  // Told when it changes. Line breaks become spaces.
  void Status(const std::string& text);
  // The sign of life, twice within its interval, if the program is well.
  void Look(bool well, uint64_t now_ns);
  // Stopping takes this much longer yet, from now on.
  void Extend(uint64_t usec);
  // Messages that could not be delivered.
  uint64_t lost() const { return lost_; }

 private:
  void Send(const std::string& message);

  const Address address_;
  UniqueFd socket_;
  bool ready_ = false, stopping_ = false;
  std::string status_;
  uint64_t next_sign_ns_ = 0;
  uint64_t lost_ = 0;
};

}  // namespace lockwarden
