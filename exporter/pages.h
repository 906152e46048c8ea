// Pages: which path is answered with what. The status page's own files are compiled in, so
// that it needs nothing but the port.
//
// Thread safety: Answer is called by one thread at a time; the views that it copies are
// published by others at any time. Must never: wait for the program, a disk, or the judge.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "exporter/http_message.h"
#include "exporter/live_view.h"
#include "exporter/metric_table.h"
#include "watchdog/metrics_view.h"

namespace lockwarden {

class Pages {
 public:
  using Watch = std::function<std::shared_ptr<const MetricsView>()>;
  using Live = std::function<std::shared_ptr<const LiveView>()>;
  // `credentials`: "user:password"; empty: none are asked for.
  Pages(Watch watch, Live live, std::string credentials)
      : watch_(std::move(watch)), live_(std::move(live)), credentials_(std::move(credentials)) {}

  HttpResponse Answer(const HttpRequest& request) const;

 private:
  const Watch watch_;
  const Live live_;
  const std::string credentials_;
};

// Every metric in Prometheus' text format.
std::string MetricsText(const PageSource& source);

// What who does not know the password is told.
HttpResponse PasswordNeeded();

// A file of the status page by its path ("/", "/page.css", ...); status 404 if there is none.
HttpResponse PageFile(const std::string& path);

}  // namespace lockwarden
