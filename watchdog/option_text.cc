// The words of options: LOCKWARDEN_OPTIONS taken apart, how far two keys are from each other, and
// the names of values.
#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "watchdog/options.h"

namespace lockwarden {

bool AsksForHelp(absl::string_view text) {
  for (absl::string_view word : absl::StrSplit(text, absl::ByAnyChar(", "))) {
    if (word == "help") return true;
  }
  return false;
}

absl::StatusOr<std::vector<Setting>> ParseOptionsVariable(absl::string_view text) {
  std::vector<Setting> settings;
  const auto separates = [](char c) { return c == ',' || c == ' ' || c == '\t' || c == '\n'; };
  size_t i = 0;
  while (i < text.size()) {
    if (separates(text[i])) {
      ++i;
      continue;
    }
    const size_t begin = i;
    while (i < text.size() && text[i] != '=' && !separates(text[i])) ++i;
    Setting setting{std::string(text.substr(begin, i - begin)), ""};
    if (i == text.size() || text[i] != '=' || setting.key.empty()) {
      return absl::InvalidArgumentError(absl::StrCat("LOCKWARDEN_OPTIONS: '", setting.key, "' is not key=value"));
    }
    ++i;
    if (i < text.size() && (text[i] == '"' || text[i] == '\'')) {
      const size_t end = text.find(text[i], i + 1);
      if (end == absl::string_view::npos) {
        return absl::InvalidArgumentError(absl::StrCat("LOCKWARDEN_OPTIONS: the quote after ", setting.key,
                                "= is never closed"));
      }
      setting.value = std::string(text.substr(i + 1, end - i - 1));
      i = end + 1;
      if (i < text.size() && !separates(text[i])) {
        return absl::InvalidArgumentError(absl::StrCat("LOCKWARDEN_OPTIONS: a comma or a space must follow the value of ",
                                setting.key));
      }
    } else {
      const size_t value = i;
      while (i < text.size() && !separates(text[i])) ++i;
      setting.value = std::string(text.substr(value, i - value));
    }
    settings.push_back(std::move(setting));
  }
  return settings;
}

size_t EditDistance(absl::string_view a, absl::string_view b) {
  // One row of the Wagner-Fischer table at a time.
  std::vector<size_t> row(b.size() + 1);
  for (size_t j = 0; j <= b.size(); ++j) row[j] = j;
  for (size_t i = 1; i <= a.size(); ++i) {
    size_t diagonal = row[0];
    row[0] = i;
    for (size_t j = 1; j <= b.size(); ++j) {
      const size_t above = row[j];
      row[j] = std::min({above + 1, row[j - 1] + 1, diagonal + (a[i - 1] != b[j - 1])});
      diagonal = above;
    }
  }
  return row[b.size()];
}

const char* ProfileName(Profile profile) {
  return profile == Profile::kTest ? "test" : "production";
}

const char* StackDetailName(StackDetail stacks) {
  switch (stacks) {
    case StackDetail::kFull: return "full";
    case StackDetail::kSite: return "site";
    case StackDetail::kOff: return "off";
  }
  return "?";
}

const char* OrderActionName(OrderAction order) {
  switch (order) {
    case OrderAction::kOff: return "off";
    case OrderAction::kReport: return "report";
    case OrderAction::kThrow: return "throw";
    case OrderAction::kAbort: return "abort";
  }
  return "?";
}

}  // namespace lockwarden
