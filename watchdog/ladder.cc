// See ladder.h.
#include "watchdog/ladder.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "absl/time/time.h"
#include "watchdog/stall_cause.h"

namespace lockwarden {
namespace {

constexpr DeadlockAction kAll[] = {DeadlockAction::kNote, DeadlockAction::kReport,
                                   DeadlockAction::kDump, DeadlockAction::kAbort,
                                   DeadlockAction::kRestart};

absl::StatusOr<Rung> ParseRung(absl::string_view text, absl::string_view actions) {
  const std::vector<absl::string_view> parts = absl::StrSplit(text, absl::MaxSplits(':', 1));
  const std::vector<absl::string_view> allowed = absl::StrSplit(actions, '|');
  Rung rung;
  bool known = false;
  for (DeadlockAction action : kAll) {
    if (parts[0] != ActionName(action)) continue;
    known = std::find(allowed.begin(), allowed.end(), parts[0]) != allowed.end();
    rung.action = action;
  }
  if (!known) {
    return absl::InvalidArgumentError(
        absl::StrCat("must be one of ", absl::StrReplaceAll(actions, {{"|", ", "}})));
  }
  if (parts.size() == 1) return rung;
  absl::Duration delay;
  if (!absl::ParseDuration(parts[1], &delay) || delay < absl::ZeroDuration() ||
      delay > absl::Hours(24 * 365)) {
    return absl::InvalidArgumentError(
        absl::StrCat("the delay of ", parts[0], " must be a duration with its unit, such as 5s"));
  }
  rung.delay_ns = static_cast<uint64_t>(absl::ToInt64Nanoseconds(delay));
  return rung;
}

}  // namespace

const char* ActionName(DeadlockAction action) {
  switch (action) {
    case DeadlockAction::kNote:
      return "note";
    case DeadlockAction::kReport:
      return "report";
    case DeadlockAction::kDump:
      return "dump";
    case DeadlockAction::kAbort:
      return "abort";
    case DeadlockAction::kRestart:
      return "restart";
  }
  return "?";
}

absl::StatusOr<Ladder> Ladder::Parse(absl::string_view text, absl::string_view actions) {
  Ladder ladder(DeadlockAction::kReport);
  ladder.rungs_.clear();
  for (absl::string_view part : absl::StrSplit(text, '+')) {
    const absl::StatusOr<Rung> rung = ParseRung(part, actions);
    if (!rung.ok()) return rung.status();
    // A gentler step after a harder one would find nothing left to do.
    if (!ladder.rungs_.empty() && rung->action <= ladder.rungs_.back().action) {
      return absl::InvalidArgumentError("each step must be harder than the one before");
    }
    ladder.rungs_.push_back(*rung);
  }
  return ladder;
}

const Rung* Ladder::Due(size_t climbed, uint64_t since_ns, uint64_t first_delay_ns,
                        uint64_t now_ns) const {
  if (climbed >= rungs_.size() || now_ns < since_ns) return nullptr;
  const Rung& rung = rungs_[climbed];
  const uint64_t usual = climbed == 0 ? first_delay_ns : kUsualDelayNs;
  return now_ns - since_ns >= rung.delay_ns.value_or(usual) ? &rung : nullptr;
}

bool Ladder::Has(DeadlockAction action) const {
  return std::any_of(rungs_.begin(), rungs_.end(),
                     [&](const Rung& rung) { return rung.action == action; });
}

bool Ladder::OnlyTells() const { return rungs_.back().action <= DeadlockAction::kReport; }

absl::StatusOr<StallLadders> StallLadders::Parse(absl::string_view text,
                                                 absl::string_view actions) {
  StallLadders ladders;
  for (absl::string_view part : absl::StrSplit(text, ';')) {
    const std::vector<absl::string_view> sides = absl::StrSplit(part, absl::MaxSplits('=', 1));
    const absl::StatusOr<Ladder> ladder = Ladder::Parse(sides.back(), actions);
    if (!ladder.ok()) return ladder.status();
    if (sides.size() == 1) {
      ladders.usual_ = *ladder;
      continue;
    }
    std::string causes;
    for (StallKind kind : kToldStallKinds) {
      absl::StrAppend(&causes, causes.empty() ? "" : ", ", StallKindName(kind));
      if (sides[0] == StallKindName(kind))
        ladders.by_cause_.insert_or_assign(StallKindName(kind), *ladder);
    }
    if (!ladders.by_cause_.contains(sides[0])) {
      return absl::InvalidArgumentError(absl::StrCat("a cause must be one of ", causes));
    }
  }
  return ladders;
}

const Ladder& StallLadders::For(absl::string_view cause) const {
  const auto found = by_cause_.find(cause);
  return found == by_cause_.end() ? usual_ : found->second;
}

bool StallLadders::Has(DeadlockAction action) const {
  return usual_.Has(action) ||
         std::any_of(by_cause_.begin(), by_cause_.end(),
                     [&](const auto& entry) { return entry.second.Has(action); });
}

bool StallLadders::OnlyTells() const {
  return usual_.OnlyTells() &&
         std::all_of(by_cause_.begin(), by_cause_.end(),
                     [](const auto& entry) { return entry.second.OnlyTells(); });
}

}  // namespace lockwarden
