// MetricsServer: how the supervisor reaches the exporter without depending on it.
//
// The arrows between the rooms only go down (exporter -> watchdog), so the watchdog
// declares what it needs and the exporter's library defines MakeMetricsServer; the
// `lockwarden` executable links both.
#pragma once

#include <memory>
#include <string>

#include "absl/status/status.h"
#include "watchdog/ledger_board.h"
#include "watchdog/metrics_view.h"

namespace lockwarden {

class MetricsServer {
 public:
  virtual ~MetricsServer() = default;
  // Before Start: who asks must know "user:password". Health endpoints answer everybody.
  virtual void Protect(const std::string& credentials) = 0;
  // Keeps a file of metrics up to date, and writes it a last time when destroyed. Errors:
  // kInvalidArgument when it cannot be written.
  virtual absl::Status KeepTextfile(const std::string& path) = 0;
  // Binds and serves until destroyed. `address` is "ADDR:PORT". Errors: kUnavailable
  // when the port is taken (the caller goes on and calls again later),
  // kInvalidArgument when the address makes no sense. Blocks for no longer than a bind.
  virtual absl::Status Start(const std::string& address) = 0;
  virtual bool running() const = 0;
  // For `lockwarden serve`: answers this user and root on a Unix socket of its own, without a
  // password. Nothing happens if that cannot be had.
  virtual void StartLocal() = 0;
  // Whether anybody looks: a port is open, a file is kept, or `serve` asked lately.
  virtual bool IsWatched() const = 0;
  // What a scrape would be answered now, from what was published last.
  virtual std::string Text() const = 0;
  // The port in use, for ADDR:0; 0 when not running.
  virtual int port() const = 0;
};

// Thread-safe against Publish. `board`, and `ledgers` if there are any to look at, outlive the
// server.
std::unique_ptr<MetricsServer> MakeMetricsServer(const MetricsBoard* board,
                                                 LedgerBoard* ledgers = nullptr);

}  // namespace lockwarden
