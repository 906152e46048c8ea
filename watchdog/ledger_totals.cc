// What counts as dropped, and under which name.
#include "watchdog/ledger_totals.h"

namespace lockwarden {

void LedgerTotals::Add(const Snapshot& snapshot) {
  acquisitions += snapshot.acquisitions;
  contentions += snapshot.contentions;
  wait_ns += snapshot.wait_ns;
  broken += snapshot.broken;
  stepped_aside += snapshot.stepped_aside.empty() ? 0 : 1;
  for (const TableUse& table : snapshot.tables) dropped[table.name] += table.dropped;
  dropped["held_list"] += snapshot.held_dropped;
  dropped["stack"] += snapshot.stack_failures;
  dropped["handler_nesting"] += snapshot.nested_dropped;
  dropped["unrecorded_calls"] += snapshot.unrecorded_calls;
  dropped["exec"] += snapshot.exec_drops;
  dropped["fork"] += snapshot.fork_drops;
  dropped["unreadable"] += snapshot.rejected;
}

void LedgerTotals::Add(const LedgerTotals& other) {
  acquisitions += other.acquisitions;
  contentions += other.contentions;
  wait_ns += other.wait_ns;
  broken += other.broken;
  stepped_aside += other.stepped_aside;
  for (const auto& [name, count] : other.dropped) dropped[name] += count;
}

void LedgerTotals::CopyTo(MetricsView* view) const {
  view->lock_acquisitions = acquisitions;
  view->lock_contentions = contentions;
  view->deadlocks_broken = broken;
  view->lock_wait_seconds = static_cast<double>(wait_ns) / 1e9;
  view->dropped_records = dropped;
  view->dropped_records["process"] = stepped_aside;
}

}  // namespace lockwarden
