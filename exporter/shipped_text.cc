// Fills the running configuration's names into the files of exporter/shipped.
#include "watchdog/shipped_text.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "exporter/listen_address.h"
#include "exporter/page_files.h"

namespace lockwarden {
namespace {

constexpr char kDefaultMetrics[] = "127.0.0.1:9464";

// For the top of the rules: how Prometheus gets to the metrics that they are about.
std::string ScrapeConfig(const RunNames& names, const ListenAddress& address) {
  return absl::StrCat("# scrape_configs:\n#   - job_name: lockwarden\n#     static_configs:\n",
                      "#       - targets: [\"", address.ToString(), "\"]  # ", names.program, "\n");
}

}  // namespace

std::string ShippedText(const std::string& what, const RunNames& names) {
  auto address = ParseListenAddress(names.metrics.empty() ? kDefaultMetrics : names.metrics);
  if (!address.ok()) address = ParseListenAddress(kDefaultMetrics);
  std::string text;
  if (what == "rules") {
    text = absl::StrCat(ScrapeConfig(names, *address), page_files::kRulesYml);
  } else if (what == "dashboard") {
    text = page_files::kDashboardJson;
  } else if (what == "probes") {
    text = page_files::kProbesYml;
  } else if (what == "unit") {
    text = page_files::kUnit;
  }
  return absl::StrReplaceAll(text, {{"@PROGRAM@", names.program},
                                    {"@COMMAND@", names.command},
                                    {"@PORT@", absl::StrCat(address->port)}});
}

}  // namespace lockwarden
