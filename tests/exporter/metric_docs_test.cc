// docs/metrics.md and the table in code say the same, line by line, in both directions.
#include <gtest/gtest.h>

#include <fstream>
#include <map>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "exporter/metric_table.h"

namespace lockwarden {
namespace {

std::vector<std::string> DocLines() {
  std::ifstream file(METRICS_DOC);
  EXPECT_TRUE(file.is_open()) << METRICS_DOC;
  std::vector<std::string> lines;
  for (std::string line; std::getline(file, line);) lines.push_back(line);
  return lines;
}

// "counter, `kind`": what both sides say of one metric.
std::string TypeAndLabel(const MetricRow& row) {
  const bool counter = row.type == prometheus::MetricType::Counter;
  const std::string label = *row.label == '\0' ? "-" : absl::StrCat("`", row.label, "`");
  return absl::StrCat(counter ? "counter" : "gauge", ", ", label);
}

TEST(MetricDocsTest, EachMetricHasALineWithItsTypeAndLabelAndNoLineIsWithoutAMetric) {
  std::map<std::string, std::string> documented, exported;
  for (const std::string& line : DocLines()) {
    // | `name` | type | `label` or - | meaning |
    if (!absl::StartsWith(line, "| `lockwarden_")) continue;
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
    if (*row.label == '\0' || std::string(row.label) == "version") continue;
    // - `label` of `name` and `other name`: `value`, `value` (what it is), ...
    std::string values;
    for (const std::string& line : lines) {
      const std::pair<std::string, std::string> parts =
          absl::StrSplit(line, absl::MaxSplits(": ", 1));
      if (absl::StartsWith(line, absl::StrCat("- `", row.label, "` of ")) &&
          absl::StrContains(parts.first, absl::StrCat("`", row.name, "`"))) {
        values = parts.second;
      }
    }
    ASSERT_FALSE(values.empty()) << row.name;
    for (const auto& [value, zero] : row.read(MetricsView{})) {
      EXPECT_TRUE(absl::StrContains(values, absl::StrCat("`", value, "`")))
          << row.name << " " << value;
    }
  }
}

}  // namespace
}  // namespace lockwarden
