// The routes. Health endpoints ask for no password: probes have none, and they say one word.
#include "exporter/pages.h"

#include <sstream>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/strip.h"
#include "exporter/metric_table.h"
#include "exporter/page_files.h"
#include "exporter/status_json.h"
#include "prometheus/text_serializer.h"

namespace lockwarden {
namespace {

constexpr char kJson[] = "application/json; charset=utf-8";
constexpr char kMetrics[] = "text/plain; version=0.0.4; charset=utf-8";

HttpResponse NotFound() { return {.status = 404, .body = "not found\n"}; }

HttpResponse Readiness(const PageSource& source) {
  if (!source.watch.program_running) return {.status = 503, .body = "the program does not run\n"};
  if (!source.watch.interposer_active) {
    return {.status = 503, .body = "the program's locks are not recorded (yet)\n"};
  }
  return {.body = "ready\n"};
}

HttpResponse Liveness(const PageSource& source) {
  const std::string why = WhyNotLive(source);
  if (!why.empty()) return {.status = 503, .body = absl::StrCat(why, "\n")};
  return {.body = "no proven deadlock, and no stall\n"};
}

std::string Escaped(const std::string& text) {
  return absl::StrReplaceAll(
      text, {{"&", "&amp;"}, {"<", "&lt;"}, {">", "&gt;"}, {"\"", "&quot;"}, {"'", "&#39;"}});
}

// "/incidents/3" as a page, "/api/v1/incidents/3" as JSON.
HttpResponse Incident(const PageSource& source, absl::string_view number, bool json) {
  uint64_t wanted = 0;
  if (!absl::SimpleAtoi(number, &wanted)) return NotFound();
  for (const auto& finding : source.watch.shown_findings) {
    if (finding->number != wanted) continue;
    if (json) {
      if (finding->json.empty()) return NotFound();
      return {.content_type = kJson, .body = absl::StrCat(finding->json, "\n")};
    }
    return {.content_type = "text/html; charset=utf-8",
            .body = absl::StrReplaceAll(
                page_files::kIncidentHtml,
                {{"{{headline}}", Escaped(finding->headline)},
                 {"{{kind}}", Escaped(absl::StrReplaceAll(finding->kind, {{"_", " "}}))},
                 {"{{confidence}}", Escaped(finding->confidence)},
                 {"{{program}}", Escaped(finding->program)},
                 {"{{pid}}", absl::StrCat(finding->pid)},
                 {"{{number}}", absl::StrCat(finding->number)},
                 {"{{time}}", absl::StrCat(static_cast<int64_t>(finding->time_seconds))},
                 {"{{incident}}",
                  Escaped(finding->incident.empty() ? "none was written" : finding->incident)},
                 {"{{report}}", Escaped(finding->text)}})};
  }
  return NotFound();
}

}  // namespace

HttpResponse PasswordNeeded() {
  return {.status = 401,
          .body = "password needed\n",
          .headers = {{"WWW-Authenticate", "Basic realm=\"lockwarden\", charset=\"UTF-8\""}}};
}

std::string MetricsText(const PageSource& source) {
  std::ostringstream text;
  prometheus::TextSerializer().Serialize(text, Families(source));
  return std::move(text).str();
}

HttpResponse PageFile(const std::string& path) {
  if (path == "/") {
    return {.content_type = "text/html; charset=utf-8", .body = page_files::kIndexHtml};
  }
  if (path == "/page.css") {
    return {.content_type = "text/css; charset=utf-8", .body = page_files::kPageCss};
  }
  if (path == "/page.js" || path == "/graph.js") {
    return {.content_type = "text/javascript; charset=utf-8",
            .body = path == "/page.js" ? page_files::kPageJs : page_files::kGraphJs};
  }
  return NotFound();
}

HttpResponse Pages::Answer(const HttpRequest& request) const {
  const std::shared_ptr<const MetricsView> watch = watch_();
  const std::shared_ptr<const LiveView> live = live_();
  const PageSource source{*watch, *live};
  absl::string_view path = request.path;
  if (path == "/healthz") return {.body = "serving\n"};
  if (path == "/readyz") return Readiness(source);
  if (path == "/livez") return Liveness(source);
  if (!credentials_.empty() && !IsAuthorized(request.authorization, credentials_)) {
    return PasswordNeeded();
  }
  if (path == "/metrics") {
    return {.content_type = kMetrics, .body = MetricsText(source)};
  }
  if (path == "/api/v1/status") return {.content_type = kJson, .body = StatusJson(source)};
  if (absl::ConsumePrefix(&path, "/api/v1/incidents/")) return Incident(source, path, true);
  if (absl::ConsumePrefix(&path, "/incidents/")) return Incident(source, path, false);
  return PageFile(request.path);
}

}  // namespace lockwarden
