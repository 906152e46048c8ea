// The label values that start as zeros are the ones that the watchdog uses: a name that
// differs in one letter would be a series that stays 0 beside one that is born at 1.
#include "exporter/known_labels.h"

#include <gtest/gtest.h>

#include <set>
#include <string>

#include "watchdog/clock_trust.h"
#include "watchdog/finding.h"
#include "watchdog/heartbeat_totals.h"
#include "watchdog/ledger_totals.h"
#include "watchdog/misuse_finding.h"
#include "watchdog/snapshot.h"
#include "watchdog/stall_cause.h"

namespace lockwarden {
namespace {

std::set<std::string> SetOf(LabelValues values) { return {values.begin(), values.end()}; }

TEST(KnownLabelsTest, FindingKindsAreThoseOfTheWatchdog) {
  std::set<std::string> names;
  for (int kind = 0; kind <= static_cast<int>(FindingKind::kMisuse); ++kind) {
    names.insert(KindName(static_cast<FindingKind>(kind)));
  }
  EXPECT_EQ(SetOf(KnownFindingKinds()), names);
}

TEST(KnownLabelsTest, DeadlockKindsAreTheTwoThatHappenNow) {
  const std::set<std::string> names = {KindName(FindingKind::kDeadlock),
                                       KindName(FindingKind::kSelfDeadlock)};
  EXPECT_EQ(SetOf(KnownDeadlockKinds()), names);
}

TEST(KnownLabelsTest, MisuseKindsAreThoseOfTheWatchdog) {
  std::set<std::string> names;
  for (uint32_t kind = 1; kind <= ledger::kLastMisuseKind; ++kind) {
    // Evidence for findings of another kind.
    if (kind == static_cast<uint32_t>(ledger::MisuseKind::kTakenInHandler)) continue;
    names.insert(MisuseName(static_cast<ledger::MisuseKind>(kind)));
  }
  EXPECT_EQ(SetOf(KnownMisuseKinds()), names);
}

TEST(KnownLabelsTest, DropsAreTheTablesAndWhatTheWatchdogCountsBesideThem) {
  Snapshot snapshot;
  for (const char* table : KnownTables()) {
    TableUse use;
    use.name = table;
    snapshot.tables.push_back(use);
  }
  LedgerTotals totals;
  totals.Add(snapshot);
  MetricsView view;
  totals.CopyTo(&view);
  std::set<std::string> names;
  for (const auto& [name, count] : view.dropped_records) names.insert(name);
  EXPECT_EQ(SetOf(KnownDrops()), names);
}

TEST(KnownLabelsTest, StallCausesAreThoseThatAreTold) {
  std::set<std::string> names;
  for (const StallKind kind : kToldStallKinds) names.insert(StallKindName(kind));
  EXPECT_EQ(SetOf(KnownStallCauses()), names);
}

TEST(KnownLabelsTest, ClockJumpsAreThoseOfTheWatchdog) {
  MetricsView view;
  HeartbeatTotals().CopyTo(&view);
  std::set<std::string> names;
  for (const auto& [cause, count] : view.clock_jumps) names.insert(cause);
  const ClockTrust clocks;
  for (const auto& [cause, count] : clocks.jumps()) names.insert(cause);
  EXPECT_EQ(SetOf(KnownClockJumps()), names);
}

}  // namespace
}  // namespace lockwarden
