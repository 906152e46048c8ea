// See the header; and MakeMetricsServer, by which the watchdog reaches it.
#include "exporter/page_server.h"

#include <utility>

#include "absl/status/statusor.h"
#include "absl/time/clock.h"
#include "exporter/listen_address.h"
#include "exporter/textfile.h"

namespace lockwarden {
namespace {

constexpr absl::Duration kTextfileEvery = absl::Seconds(15);

}  // namespace

PageServer::~PageServer() {
  const std::shared_ptr<const LiveView> live = LatestLive();
  server_.reset();
  collector_.reset();
  if (!textfile_.empty()) {
    // An error was told at the start, or shows by the age of the file.
    static_cast<void>(WriteTextfile(textfile_, MetricsText({*LatestWatch(), *live})));
  }
}

std::shared_ptr<const LiveView> PageServer::LatestLive() const {
  return collector_ == nullptr ? std::make_shared<const LiveView>() : collector_->Latest();
}

void PageServer::StartLooking() {
  if (collector_ != nullptr || ledgers_ == nullptr) return;
  collector_ = std::make_unique<LiveCollector>(
      ledgers_, [this](const LiveView& live) { AfterEachLook(live); });
}

void PageServer::AfterEachLook(const LiveView& live) {
  const absl::Time now = absl::Now();
  if (textfile_.empty() || now < textfile_due_) return;
  textfile_due_ = now + kTextfileEvery;
  static_cast<void>(WriteTextfile(textfile_, MetricsText({*LatestWatch(), live})));  // as above
}

absl::Status PageServer::KeepTextfile(const std::string& path) {
  const absl::Status written =
      WriteTextfile(path, MetricsText({*LatestWatch(), LiveView::Empty()}));
  if (!written.ok()) return written;
  textfile_ = path;
  StartLooking();
  return absl::OkStatus();
}

absl::Status PageServer::Start(const std::string& address) {
  if (server_ != nullptr) return absl::FailedPreconditionError("metrics are served already");
  absl::StatusOr<ListenAddress> parsed = ParseListenAddress(address);
  if (!parsed.ok()) return parsed.status();
  StartLooking();
  if (pages_ == nullptr) {
    pages_ = std::make_unique<Pages>([this] { return LatestWatch(); },
                                     [this] { return LatestLive(); }, credentials_);
  }
  auto opened = HttpServer::Open(
      *parsed, [this](const HttpRequest& request) { return pages_->Answer(request); },
      HttpServer::Limits());
  if (!opened.ok()) return opened.status();
  server_ = *std::move(opened);
  return absl::OkStatus();
}

std::unique_ptr<MetricsServer> MakeMetricsServer(const MetricsBoard* board, LedgerBoard* ledgers) {
  return std::make_unique<PageServer>(board, ledgers);
}

}  // namespace lockwarden
