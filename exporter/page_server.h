// PageServer: pages, a server for them, the side thread that looks at ledgers, and the file
// that is kept for node_exporter.
//
// Thread safety: Protect, KeepTextfile, StartLooking, Start, port and destruction belong to
// one thread; the rest, scrapes and what is published on the boards go on at any time in others.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "watchdog/mutex.h"
#include "absl/time/time.h"
#include "exporter/http_server.h"
#include "exporter/live_collector.h"
#include "exporter/pages.h"
#include "watchdog/metrics_server.h"

namespace lockwarden {

class PageServer : public MetricsServer {
 public:
  // `ledgers` may be null: no classes and no threads are shown then. Both outlive this.
  PageServer(const MetricsBoard* board, LedgerBoard* ledgers) : board_(board), ledgers_(ledgers) {}
  ~PageServer() override;  // writes the textfile a last time

  void Protect(const std::string& credentials) override { credentials_ = credentials; }
  absl::Status KeepTextfile(const std::string& path) override;
  absl::Status Start(const std::string& address) override;
  bool running() const override { return server_ != nullptr; }
  void StartLocal() override;
  bool IsWatched() const override;
  std::string Text() const override { return MetricsText({*LatestWatch(), *LatestLive()}); }
  int port() const override { return server_ == nullptr ? 0 : server_->port(); }
  // Thread-safe. Start does it as well, and so does the first question of `serve`.
  void StartLooking();

  std::shared_ptr<const MetricsView> LatestWatch() const { return board_->Latest(); }
  std::shared_ptr<const LiveView> LatestLive() const;

 private:
  void AfterEachLook(const LiveView& live);
  HttpResponse AnswerLocally(const HttpRequest& request);

  const MetricsBoard* const board_;
  LedgerBoard* const ledgers_;
  std::string credentials_;
  std::atomic<int64_t> asked_locally_{0};           // Unix time, in seconds; 0: never
  std::string textfile_;                            // read-only after StartLooking
  absl::Time textfile_due_ = absl::InfinitePast();  // the side thread only
  std::unique_ptr<Pages> pages_, local_pages_;
  mutable Mutex mutex_;
  std::unique_ptr<LiveCollector> collector_ ABSL_GUARDED_BY(mutex_);
  std::unique_ptr<HttpServer> server_, local_server_;
};

}  // namespace lockwarden
