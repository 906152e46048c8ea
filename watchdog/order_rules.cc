// The format, and the way along the rules.
#include "watchdog/order_rules.h"

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "watchdog/text_file.h"

namespace lockwarden {
namespace {

// Words, "quoted words" and nothing behind a '#'. False: a quote is never closed.
bool SplitLine(absl::string_view line, std::vector<std::string>* words) {
  size_t i = 0;
  while (i < line.size()) {
    if (absl::ascii_isspace(static_cast<unsigned char>(line[i]))) {
      ++i;
    } else if (line[i] == '#') {
      return true;
    } else if (line[i] == '"') {
      const size_t end = line.find('"', i + 1);
      if (end == absl::string_view::npos) return false;
      words->emplace_back(line.substr(i + 1, end - i - 1));
      i = end + 1;
    } else {
      const size_t begin = i;
      while (i < line.size() && !absl::ascii_isspace(static_cast<unsigned char>(line[i]))) ++i;
      words->emplace_back(line.substr(begin, i - begin));
    }
  }
  return true;
}

}  // namespace

absl::StatusOr<OrderRules> OrderRules::Parse(absl::string_view text, absl::string_view name) {
  OrderRules rules;
  rules.name_ = std::string(name);
  int number = 0;
  const auto bad = [&](absl::string_view what) {
    return absl::InvalidArgumentError(absl::StrCat(name, ":", number, ": ", what));
  };
  for (absl::string_view line : absl::StrSplit(text, '\n')) {
    ++number;
    std::vector<std::string> words;
    if (!SplitLine(line, &words)) return bad("the quote is never closed");
    if (words.empty()) continue;
    bool well_formed = words[0] == "order" && words.size() >= 4 && words.size() % 2 == 0;
    for (size_t i = 2; well_formed && i < words.size(); i += 2) well_formed = words[i] == "before";
    if (!well_formed) {
      return bad(
          absl::StrCat("must be 'order A before B', is '", absl::StripAsciiWhitespace(line), "'"));
    }
    for (size_t i = 1; i + 2 < words.size(); i += 2) {
      const std::string &before = words[i], &after = words[i + 2];
      if (before.empty() || after.empty()) return bad("a name is empty");
      if (before == after) return bad(absl::StrCat("'", before, "' before itself"));
      if (!rules.Broken({before}, {after}).empty()) continue;  // said already
      if (const auto opposite = rules.Broken({after}, {before}); !opposite.empty()) {
        return bad(absl::StrCat("'", before, "' before '", after, "' contradicts line ",
                                opposite.front().line));
      }
      rules.by_before_[before].push_back(rules.rules_.size());
      rules.rules_.push_back({before, after, number});
    }
  }
  return rules;
}

absl::StatusOr<OrderRules> OrderRules::Load(const std::string& path) {
  const absl::StatusOr<std::string> text = ReadTextFile(path);
  if (!text.ok()) return text.status();
  return Parse(*text, path);
}

// Breadth first, so that the fewest are told.
std::vector<OrderRules::Rule> OrderRules::Broken(const std::set<std::string>& wanted,
                                                 const std::set<std::string>& held) const {
  constexpr size_t kNone = ~size_t{0};
  struct Step {
    size_t rule, before;  // index into rules_, and of the step before
  };
  std::vector<Step> steps;
  std::set<std::string> seen = wanted;
  const auto follow = [&](const std::string& name, size_t before) {
    const auto found = by_before_.find(name);
    if (found == by_before_.end()) return;
    for (const size_t rule : found->second) steps.push_back({rule, before});
  };
  for (const std::string& name : wanted) follow(name, kNone);
  for (size_t i = 0; i < steps.size(); ++i) {
    const Rule& rule = rules_[steps[i].rule];
    if (held.contains(rule.after)) {
      std::vector<Rule> chain;
      for (size_t at = i; at != kNone; at = steps[at].before) {
        chain.insert(chain.begin(), rules_[steps[at].rule]);
      }
      return chain;
    }
    if (seen.insert(rule.after).second) follow(rule.after, i);
  }
  return {};
}

}  // namespace lockwarden
