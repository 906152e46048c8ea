// Registrar: where programs hand over their ledgers. A private directory with a
// SOCK_SEQPACKET socket that daemons which dropped their privileges still reach, the same
// name in the abstract namespace for those that chroot, and a token that tells this run's
// programs from others. Beside the socket lies a tally, for processes of the same user that
// cannot connect.
//
// Written by: the recorder in each program (one ledger::Hello and a memfd), and test runners
// (lockwarden/test_run.h). Read by: the
// supervisor's loop. Not thread-safe. Must never: block, or take over what it cannot check.
#pragma once

#include <cstdint>
#include <list>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "runtime/ledger.h"
#include "watchdog/snapshot.h"
#include "watchdog/test_desk.h"
#include "watchdog/unique_fd.h"

namespace lockwarden {

// A ledger that was taken over.
struct Registration {
  int pid = 0;     // in our pid namespace
  UniqueFd pidfd;  // not valid: the process had ended before we looked
  std::unique_ptr<LedgerReader> reader;
};

// The checks on a message, before its ledger is looked at. Pure. Errors: what is wrong.
absl::Status CheckHello(absl::Span<const char> message, absl::string_view token);
// What a process says of its tests, if the message is about that. Pure.
std::optional<TestCall> ReadTestNotice(absl::Span<const char> message, absl::string_view token);
// Why a process is not recorded, if the message says so. Pure.
std::optional<std::string> ReadStepAside(absl::Span<const char> message, absl::string_view token);

class Registrar {
 public:
  // Makes a directory of its own in the first of `parents` that works; without any, only
  // the abstract name is bound. Errors: one line.
  static absl::StatusOr<std::unique_ptr<Registrar>> Create(const std::vector<std::string>& parents);
  // With the abstract name alone, which somebody has bound: `listener` is nonblocking and listens.
  static std::unique_ptr<Registrar> Adopt(UniqueFd listener, std::string token, std::string path);
  // The places to try: $XDG_RUNTIME_DIR, $TMPDIR, /tmp.
  static std::vector<std::string> DefaultParents();
  ~Registrar();  // removes socket and directory
  Registrar(const Registrar&) = delete;
  Registrar& operator=(const Registrar&) = delete;

  // Value for LOCKWARDEN_SOCKET: "TOKEN:PATH".
  std::string variable() const { return token_ + ":" + path_; }
  const std::string& path() const { return path_; }
  // Readable (poll, epoll) when Accept has something to do.
  int fd() const { return epoll_.get(); }

  // Takes everything that has arrived, in its order. `now_ns` is CLOCK_MONOTONIC: who has
  // connected and says nothing for ten seconds is sent away.
  std::vector<Registration> Accept(uint64_t now_ns);

  // What processes have said of their tests since the last call.
  std::vector<TestCall> TakeTestCalls() { return std::exchange(test_calls_, {}); }

  uint64_t refused() const { return refused_; }
  // Processes that said they cannot be recorded, or could only move the tally.
  uint64_t stepped_aside() const;
  // Why the first one was refused; empty: none was.
  const std::string& first_refusal() const { return first_refusal_; }

 private:
  struct Caller {
    UniqueFd fd;
    uint64_t deadline_ns = 0;
  };

  Registrar();
  absl::Status OpenInDirectory(const std::string& parent);
  absl::Status OpenAbstract();
  void TakeConnections(int listener, uint64_t now_ns);
  // False: nothing has been said yet.
  bool Hear(const Caller& caller, std::vector<Registration>* out);
  void Refuse(int pid, absl::string_view why);

  std::string token_, directory_, path_;
  UniqueFd listeners_[2];  // path, abstract
  UniqueFd tally_;         // see ledger::kTallyEnding; not valid without a directory
  UniqueFd epoll_;
  std::list<Caller> callers_;
  std::vector<TestCall> test_calls_;
  uint64_t refused_ = 0, stepped_aside_ = 0;
  std::string first_refusal_;
};

}  // namespace lockwarden
