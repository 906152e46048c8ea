// See the header; and MakeMetricsServer, by which the watchdog reaches it.
#include "exporter/page_server.h"

#include <unistd.h>

#include <utility>

#include "absl/status/statusor.h"
#include "absl/time/clock.h"
#include "exporter/listen_address.h"
#include "exporter/local_get.h"
#include "exporter/textfile.h"

namespace lockwarden {
namespace {

constexpr absl::Duration kTextfileEvery = absl::Seconds(15);
constexpr int64_t kLocalMemorySeconds = 60;

}  // namespace

PageServer::~PageServer() {
  server_.reset();
  local_server_.reset();
  const std::shared_ptr<const LiveView> live = LatestLive();
  std::unique_ptr<LiveCollector> collector;
  {
    MutexLock lock(&mutex_);
    collector.swap(collector_);
  }
  collector.reset();
  if (!textfile_.empty()) {
    // An error was told at the start, or shows by the age of the file.
    static_cast<void>(WriteTextfile(textfile_, MetricsText({*LatestWatch(), *live})));
  }
}

std::shared_ptr<const LiveView> PageServer::LatestLive() const {
  MutexLock lock(&mutex_);
  return collector_ == nullptr ? std::make_shared<const LiveView>() : collector_->Latest();
}

void PageServer::StartLooking() {
  MutexLock lock(&mutex_);
  if (collector_ != nullptr || ledgers_ == nullptr) return;
  collector_ = std::make_unique<LiveCollector>(
      ledgers_, [this](const LiveView& live) { AfterEachLook(live); });
}

void PageServer::StartLocal() {
  local_pages_ = std::make_unique<Pages>([this] { return LatestWatch(); },
                                         [this] { return LatestLive(); }, "");
  auto opened = HttpServer::OpenAbstract(
      OwnLocalName(), [this](const HttpRequest& request) { return AnswerLocally(request); },
      {.connections = 8});
  if (opened.ok()) local_server_ = *std::move(opened);
}

HttpResponse PageServer::AnswerLocally(const HttpRequest& request) {
  asked_locally_ = absl::ToUnixSeconds(absl::Now());
  StartLooking();
  if (LatestWatch()->snapshot_timestamp_seconds == 0) {
    return {.status = 503, .body = "nothing was looked at yet\n"};
  }
  return local_pages_->Answer(request);
}

bool PageServer::IsWatched() const {
  return pages_ != nullptr || !textfile_.empty() ||
         absl::ToUnixSeconds(absl::Now()) - asked_locally_ < kLocalMemorySeconds;
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
