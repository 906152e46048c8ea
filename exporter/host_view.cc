// Text in, text out: the expositions are our own, a sample a line.
#include "exporter/host_view.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <set>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "nlohmann/json.hpp"
#include "watchdog/printable.h"

namespace lockwarden {
namespace {

constexpr size_t kMostLines = 20'000;  // of one process
constexpr size_t kLongestName = 64;

struct Family {
  std::string head, samples;
};

bool IsLower(char c) { return (c >= 'a' && c <= 'z') || c == '_'; }

// A name of ours.
bool IsMetric(absl::string_view name) {
  return (absl::StartsWith(name, "lockwarden_") || absl::StartsWith(name, "process_")) &&
         std::all_of(name.begin(), name.end(), IsLower);
}

// What follows the name: labels in braces, if there are any, and a number. As root one serves
// what other users' supervisors say, and a line of nonsense would break the scrape of all.
bool IsSampleRest(absl::string_view rest) {
  std::set<absl::string_view> names = {"process", "slot"};  // ours are put before them
  if (absl::ConsumePrefix(&rest, "{")) {
    while (!absl::ConsumePrefix(&rest, "}")) {
      const size_t equals = rest.find("=\"");
      if (equals == 0 || equals == rest.npos ||
          !std::all_of(rest.begin(), rest.begin() + static_cast<std::ptrdiff_t>(equals), IsLower)) {
        return false;
      }
      if (!names.insert(rest.substr(0, equals)).second) return false;
      rest.remove_prefix(equals + 2);
      while (!rest.empty() && rest[0] != '"')
        rest.remove_prefix(rest[0] == '\\' && rest.size() > 1 ? 2 : 1);
      if (!absl::ConsumePrefix(&rest, "\"")) return false;
      if (!absl::ConsumePrefix(&rest, ",") && !absl::StartsWith(rest, "}")) return false;
    }
  }
  if (!absl::ConsumePrefix(&rest, " ")) return false;
  if (rest == "+Inf" || rest == "-Inf" || rest == "Nan" || rest == "NaN") return true;
  double value;
  return rest.find_first_not_of("0123456789+-.eE") == rest.npos && absl::SimpleAtod(rest, &value) &&
         std::isfinite(value);
}

// "# HELP name ..." or "# TYPE name counter|gauge|histogram".
bool IsHead(const std::vector<absl::string_view>& words) {
  if (words.size() != 4 || !IsMetric(words[2])) return false;
  return words[1] == "HELP" ? !absl::StrContains(words[3], '\\')
                            : words[1] == "TYPE" && (words[3] == "counter" || words[3] == "gauge" ||
                                                     words[3] == "histogram");
}

bool IsPartOf(absl::string_view histogram, absl::string_view sample) {
  return !histogram.empty() && absl::ConsumePrefix(&sample, histogram) &&
         (sample == "_bucket" || sample == "_sum" || sample == "_count");
}

class Merger {
 public:
  void Add(const HostProcess& process) {
    const std::string labels =
        absl::StrCat("process=\"", process.process, "\",slot=\"", process.slot, "\"");
    size_t lines = 0;
    std::string histogram;  // whose samples follow
    for (absl::string_view line : absl::StrSplit(process.metrics, '\n', absl::SkipEmpty())) {
      if (++lines > kMostLines) break;
      if (Printable(std::string(line)) != line) continue;  // no UTF-8, or control characters
      if (absl::StartsWith(line, "# ")) {
        const std::vector<absl::string_view> words = absl::StrSplit(line, absl::MaxSplits(' ', 3));
        if (!IsHead(words)) continue;
        if (words[1] == "TYPE") histogram = std::string(words[3] == "histogram" ? words[2] : "");
        Family& family = At(words[2]);
        // The first one's word stands; versions may differ in theirs.
        if (!absl::StrContains(family.head, absl::StrCat("# ", words[1], " "))) {
          absl::StrAppend(&family.head, line, "\n");
        }
        continue;
      }
      const size_t end = line.find_first_of("{ ");
      if (end == line.npos || !IsMetric(line.substr(0, end)) || !IsSampleRest(line.substr(end))) {
        continue;
      }
      const absl::string_view name = line.substr(0, end);
      std::string& samples =
          At(IsPartOf(histogram, name) ? absl::string_view(histogram) : name).samples;
      if (line[end] == '{') {
        const absl::string_view rest = line.substr(end + 1);
        absl::StrAppend(&samples, line.substr(0, end + 1), labels,
                        absl::StartsWith(rest, "}") ? "" : ",", rest, "\n");
      } else {
        absl::StrAppend(&samples, line.substr(0, end), "{", labels, "}", line.substr(end), "\n");
      }
    }
  }
  std::string Text() const {
    std::string text;
    for (const std::string& name : order_) {
      const Family& family = families_.at(name);
      absl::StrAppend(&text, family.head, family.samples);
    }
    return text;
  }

 private:
  Family& At(absl::string_view name) {
    const auto [found, fresh] = families_.emplace(std::string(name), Family());
    if (fresh) order_.push_back(found->first);
    return found->second;
  }
  std::map<std::string, Family> families_;
  std::vector<std::string> order_;
};

}  // namespace

std::string SafeName(const std::string& name) {
  std::string safe = name.substr(0, kLongestName);
  for (char& c : safe) {
    const bool kept = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                      c == '.' || c == '_' || c == '-';
    if (!kept) c = '_';
  }
  return safe.empty() ? "unknown" : safe;
}

int Slots::Take(const std::string& process) {
  std::set<int>& taken = taken_[process];
  int slot = 0;
  while (taken.contains(slot)) ++slot;
  taken.insert(slot);
  return slot;
}

void Slots::Free(const std::string& process, int slot) {
  taken_[process].erase(slot);
  if (taken_[process].empty()) taken_.erase(process);
}

std::string MergeMetrics(const std::vector<const HostProcess*>& processes) {
  Merger merger;
  for (const HostProcess* process : processes) {
    if (process->answers) merger.Add(*process);
  }
  return merger.Text();
}

std::string FileSd(const std::vector<const HostProcess*>& processes, const std::string& address) {
  nlohmann::ordered_json list = nlohmann::ordered_json::array();
  for (const HostProcess* process : processes) {
    list.push_back({{"targets", {address}},
                    {"labels",
                     {{"__metrics_path__", absl::StrCat("/process/", process->path(), "/metrics")},
                      {"process", process->process},
                      {"slot", absl::StrCat(process->slot)}}}});
  }
  return list.dump(2) + "\n";
}

}  // namespace lockwarden
