// docs/metrics.md and the table in code say the same, line by line, in both directions.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <map>
#include <regex>
#include <set>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "exporter/metric_table.h"
#include "nlohmann/json.hpp"
#include "watchdog/shipped_text.h"

namespace lockwarden {
namespace {

std::vector<std::string> DocLines() {
  std::ifstream file(METRICS_DOC);
  EXPECT_TRUE(file.is_open()) << METRICS_DOC;
  std::vector<std::string> lines;
  for (std::string line; std::getline(file, line);) lines.push_back(line);
  return lines;
}

std::vector<std::string> LabelsOf(const MetricRow& row) {
  return absl::StrSplit(row.label, ',', absl::SkipEmpty());
}

// The values of the label of that place, as they are before anything has happened.
std::set<std::string> ZeroValues(const MetricRow& row, size_t place) {
  std::set<std::string> keys, values;
  const PageSource nothing = {MetricsView(), LiveView()};
  if (row.read_histograms != nullptr) {
    for (const auto& [key, histogram] : row.read_histograms(nothing)) keys.insert(key);
  } else {
    for (const auto& [key, zero] : row.read(nothing)) keys.insert(key);
  }
  for (const std::string& key : keys) {
    values.insert(std::vector<std::string>(absl::StrSplit(key, ','))[place]);
  }
  return values;
}

// "counter, `kind`": what both sides say of one metric.
std::string TypeAndLabel(const MetricRow& row) {
  const char* type = row.type == prometheus::MetricType::Counter     ? "counter"
                     : row.type == prometheus::MetricType::Histogram ? "histogram"
                                                                     : "gauge";
  const std::string labels = absl::StrJoin(LabelsOf(row), ", ", [](std::string* out, auto label) {
    absl::StrAppend(out, "`", label, "`");
  });
  return absl::StrCat(type, ", ", labels.empty() ? "-" : labels);
}

TEST(MetricDocsTest, EachMetricHasALineWithItsTypeAndLabelAndNoLineIsWithoutAMetric) {
  std::map<std::string, std::string> documented, exported;
  for (const std::string& line : DocLines()) {
    // | `name` | type | `label` or - | meaning |
    if (!absl::StartsWith(line, "| `lockwarden_") && !absl::StartsWith(line, "| `process_")) {
      continue;
    }
    const std::vector<std::string> cells = absl::StrSplit(line, " | ");
    ASSERT_EQ(cells.size(), 4u) << line;
    EXPECT_GT(cells[3].size(), 5u) << line;
    EXPECT_TRUE(documented.emplace(cells[0], absl::StrCat(cells[1], ", ", cells[2])).second)
        << line;
  }
  for (const MetricRow& row : MetricTable()) {
    exported[absl::StrCat("| `", row.name, "`")] = TypeAndLabel(row);
  }
  EXPECT_EQ(documented, exported);
}

TEST(MetricDocsTest, EachLabelValueThatStartsAtZeroIsNamedInTheDocument) {
  const std::vector<std::string> lines = DocLines();
  for (const MetricRow& row : MetricTable()) {
    if (std::string(row.label) == "version") continue;
    const std::vector<std::string> labels = LabelsOf(row);
    for (size_t i = 0; i < labels.size(); ++i) {
      // - `label` of `name` and `other name`: `value`, `value` (what it is), ...
      std::string values;
      for (const std::string& line : lines) {
        const std::pair<std::string, std::string> parts =
            absl::StrSplit(line, absl::MaxSplits(": ", 1));
        if (absl::StartsWith(line, absl::StrCat("- `", labels[i], "` of ")) &&
            absl::StrContains(parts.first, absl::StrCat("`", row.name, "`"))) {
          values = parts.second;
        }
      }
      ASSERT_FALSE(values.empty()) << row.name << " " << labels[i];
      for (const std::string& value : ZeroValues(row, i)) {
        EXPECT_TRUE(absl::StrContains(values, absl::StrCat("`", value, "`")))
            << row.name << " " << value;
      }
    }
  }
}

std::string ReadAll(const std::string& path) {
  std::ifstream file(path);
  EXPECT_TRUE(file.is_open()) << path;
  return {std::istreambuf_iterator<char>(file), {}};
}

// All of `text` that matches, once each.
std::set<std::string> Matches(const std::string& text, const char* expression) {
  const std::regex regex(expression);
  std::set<std::string> found;
  for (std::sregex_iterator i(text.begin(), text.end(), regex), end; i != end; ++i) {
    found.insert((*i)[i->size() - 1].str());
  }
  return found;
}

TEST(MetricDocsTest, AlertsDashboardAndRunbookUseOnlyMetricsThatExist) {
  std::set<std::string> exported;
  for (const MetricRow& row : MetricTable()) {
    exported.insert(row.name);
    if (row.type != prometheus::MetricType::Histogram) continue;
    for (const char* part : {"_bucket", "_sum", "_count"}) {
      exported.insert(absl::StrCat(row.name, part));
    }
  }
  const std::string folder = SHIPPED_FOLDER, rules = ReadAll(folder + "/lockwarden.rules.yml");
  const std::set<std::string> recorded = Matches(rules, "record: (\\S+)");
  std::vector<std::string> texts = {rules, ReadAll(folder + "/lockwarden.dashboard.json")};
  for (const auto& page : std::filesystem::directory_iterator(RUNBOOK_FOLDER)) {
    texts.push_back(ReadAll(page.path()));
  }
  for (const std::string& text : texts) {
    for (const std::string& name : Matches(text, "\\b(lockwarden_[a-z_]+|process_[a-z_]+)\\b")) {
      EXPECT_TRUE(exported.contains(name)) << name;
    }
    for (const std::string& name : Matches(text, "\\b(lockwarden:[a-z0-9_:]+)")) {
      EXPECT_TRUE(recorded.contains(name)) << name;
    }
  }
}

TEST(MetricDocsTest, EachAlertHasItsPageInTheRunbookAndEachPageItsAlert) {
  const std::string rules = ReadAll(std::string(SHIPPED_FOLDER) + "/lockwarden.rules.yml");
  std::set<std::string> pages;
  for (const auto& page : std::filesystem::directory_iterator(RUNBOOK_FOLDER)) {
    pages.insert(page.path().stem());
  }
  EXPECT_EQ(Matches(rules, "alert: (\\S+)"), pages);
  EXPECT_EQ(Matches(rules, "runbook: docs/runbook/(\\S+)\\.md"), pages);
  // And each is tried out.
  EXPECT_EQ(Matches(ReadAll(ALERTS_TEST), "alertname: (\\S+)"), pages);
}

TEST(MetricDocsTest, WhatIsPrintedHasTheNamesOfTheRun) {
  const RunNames names = {"server", "/usr/bin/lockwarden run -- ./server", "0.0.0.0:9999"};
  EXPECT_TRUE(nlohmann::json::accept(ShippedText("dashboard", names)));
  EXPECT_TRUE(absl::StrContains(ShippedText("dashboard", names), "Lockwarden: server"));
  EXPECT_TRUE(absl::StrContains(ShippedText("rules", names), "\"0.0.0.0:9999\"]  # server"));
  EXPECT_TRUE(absl::StrContains(ShippedText("probes", names), "containerPort: 9999"));
  EXPECT_TRUE(absl::StrContains(ShippedText("unit", names), "ExecStart=/usr/bin/lockwarden run"));
  for (const char* what : {"rules", "dashboard", "probes", "unit"}) {
    EXPECT_TRUE(Matches(ShippedText(what, names), "(@[A-Z]+@)").empty()) << what;
  }
}

}  // namespace
}  // namespace lockwarden
