// MetricsServer: how the supervisor reaches the exporter without depending on it.
//
// The arrows between the rooms only go down (exporter -> watchdog), so the watchdog
// declares what it needs and the exporter's library defines MakeMetricsServer; the
// `lockwarden` executable links both.
#pragma once

#include <memory>
#include <string>

#include "absl/status/status.h"
#include "watchdog/metrics_view.h"

namespace lockwarden {

class MetricsServer {
 public:
  virtual ~MetricsServer() = default;
  // Binds and serves until destroyed. `address` is "ADDR:PORT". Errors: kUnavailable
  // when the port is taken (the caller goes on and calls again later),
  // kInvalidArgument when the address makes no sense. Blocks for no longer than a bind.
  virtual absl::Status Start(const std::string& address) = 0;
  virtual bool running() const = 0;
  // The port in use, for ADDR:0; 0 when not running.
  virtual int port() const = 0;
};

// Thread-safe against Publish. `board` outlives the server.
std::unique_ptr<MetricsServer> MakeMetricsServer(const MetricsBoard* board);

}  // namespace lockwarden
