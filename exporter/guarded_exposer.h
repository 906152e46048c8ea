// GuardedExposer: a prometheus::Exposer that leaves the process as it found it.
//
// What the bare one (prometheus-cpp 1.0.1 on civetweb 1.15) does, and this one does not:
//   - two idle connections keep every worker busy for 30 s: more workers, 2 s time-out;
//   - SIGPIPE is ignored for the whole process from then on;
//   - its threads take any signal of the process, so a handler may run in one of them;
//   - the destructor takes up to 2 s, since the accepting thread sleeps in poll(); a
//     client that holds an idle connection can still delay it by as much;
//   - in a forked child the destructor joins threads that are not there, for ever;
//   - a failed bind is an exception that does not say why.
//
// Thread safety: one thread constructs and destroys; scrapes run in threads of its own.
#pragma once

#include <sys/types.h>

#include <memory>

#include "absl/status/statusor.h"
#include "exporter/listen_address.h"
#include "prometheus/collectable.h"
#include "prometheus/exposer.h"

namespace lockwarden {

class GuardedExposer {
 public:
  // Listens and serves `collectable` under /metrics. Errors: kUnavailable when the port
  // cannot be had now; kInvalidArgument when it never can.
  static absl::StatusOr<std::unique_ptr<GuardedExposer>> Open(
      const ListenAddress& address, std::shared_ptr<prometheus::Collectable> collectable);

  ~GuardedExposer();
  GuardedExposer(const GuardedExposer&) = delete;
  GuardedExposer& operator=(const GuardedExposer&) = delete;

  int port() const { return port_; }

 private:
  GuardedExposer(ListenAddress address, std::shared_ptr<prometheus::Collectable> collectable);

  const ListenAddress address_;
  const pid_t pid_;                                             // who has the threads
  const std::shared_ptr<prometheus::Collectable> collectable_;  // the exposer holds it weakly
  std::unique_ptr<prometheus::Exposer> exposer_;
  int port_ = 0;
};

}  // namespace lockwarden
