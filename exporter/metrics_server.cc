// What the watchdog asks of an exporter (watchdog/metrics_server.h), on prometheus-cpp.
//
// Thread safety: Start, port and destruction belong to one thread; scrapes and
// MetricsBoard::Publish go on at any time in others.
#include "watchdog/metrics_server.h"

#include <memory>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "exporter/guarded_exposer.h"
#include "exporter/listen_address.h"
#include "exporter/view_collectable.h"

namespace lockwarden {
namespace {

class PrometheusServer : public MetricsServer {
 public:
  explicit PrometheusServer(const MetricsBoard* board)
      : collectable_(std::make_shared<ViewCollectable>(board)) {}

  absl::Status Start(const std::string& address) override {
    if (exposer_ != nullptr) return absl::FailedPreconditionError("metrics are served already");
    absl::StatusOr<ListenAddress> parsed = ParseListenAddress(address);
    if (!parsed.ok()) return parsed.status();
    absl::StatusOr<std::unique_ptr<GuardedExposer>> opened =
        GuardedExposer::Open(*parsed, collectable_);
    if (!opened.ok()) return opened.status();
    exposer_ = *std::move(opened);
    return absl::OkStatus();
  }

  bool running() const override { return exposer_ != nullptr; }
  int port() const override { return exposer_ == nullptr ? 0 : exposer_->port(); }

 private:
  const std::shared_ptr<ViewCollectable> collectable_;
  std::unique_ptr<GuardedExposer> exposer_;
};

}  // namespace

std::unique_ptr<MetricsServer> MakeMetricsServer(const MetricsBoard* board) {
  return std::make_unique<PrometheusServer>(board);
}

}  // namespace lockwarden
