// Ladder: what is done about a hang, one rung after another, as long as it goes on: report,
// dump a core, abort, restart. Each rung has a delay of its own, and each cause of a stall may
// have a ladder of its own.
//
// Thread safety: values and pure functions. Must never: skip a rung, or do one twice.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace lockwarden {

enum class DeadlockAction { kNote, kReport, kDump, kAbort, kRestart };
// "note", "report", ...: in options and metrics.
const char* ActionName(DeadlockAction action);

struct Rung {
  DeadlockAction action = DeadlockAction::kReport;
  std::optional<uint64_t> delay_ns;  // after the rung below; none: the usual delay
  friend bool operator==(const Rung&, const Rung&) = default;
};

class Ladder {
 public:
  // The delay of every rung but the first that names none.
  static constexpr uint64_t kUsualDelayNs = 10'000'000'000;

  Ladder(DeadlockAction action) : rungs_{{action, std::nullopt}} {}  // one rung is a ladder too
  // "abort", "dump:5s+abort:20s+restart:1m". Errors: kInvalidArgument, what must be there.
  // `actions`: those allowed, as in "report|dump".
  static absl::StatusOr<Ladder> Parse(absl::string_view text, absl::string_view actions);

  // The next rung, if its time has come: `climbed` were done before, the last of them (or the
  // hang's report, when none was) at `since_ns`. Null: none is due, or none is left.
  const Rung* Due(size_t climbed, uint64_t since_ns, uint64_t first_delay_ns,
                  uint64_t now_ns) const;
  bool Has(DeadlockAction action) const;
  DeadlockAction hardest() const { return rungs_.back().action; }
  // Nothing beyond telling it.
  bool OnlyTells() const;
  // It begins with a line, and the report waits for the next rung.
  bool BeginsWithNote() const { return rungs_.front().action == DeadlockAction::kNote; }

  friend bool operator==(const Ladder&, const Ladder&) = default;

 private:
  std::vector<Rung> rungs_;  // never empty
};

// on_stall: a ladder, and others for causes that need one.
class StallLadders {
 public:
  StallLadders() : usual_(DeadlockAction::kReport) {}
  // "abort:10s+restart:30s;starved=report;throttled=report". Errors: as for a ladder.
  static absl::StatusOr<StallLadders> Parse(absl::string_view text, absl::string_view actions);

  const Ladder& For(absl::string_view cause) const;
  bool Has(DeadlockAction action) const;
  bool OnlyTells() const;

 private:
  Ladder usual_;
  std::map<std::string, Ladder, std::less<>> by_cause_;
};

}  // namespace lockwarden
