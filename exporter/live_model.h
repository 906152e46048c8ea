// LiveModel: from ledgers to a LiveView. It looks at who holds and waits for what as often as
// it is told to, and at the counts of all locks once a second.
//
// How long locks are held is sampled here, from outside: a lock that is held at a look is taken
// to have been held since the look before. Looks come at irregular intervals, so that a program
// with a rhythm of its own is not caught at the same beat; then the sum is right on average,
// and the program pays nothing. docs/metrics.md has the error.
//
// Not thread-safe. Must never: wait for a program, or believe a ledger (see LedgerReader).
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "exporter/class_book.h"
#include "exporter/live_view.h"
#include "exporter/watched_ledger.h"
#include "watchdog/ledger_board.h"

namespace lockwarden {

class LiveModel {
 public:
  struct Limits {
    size_t classes_shown = 50;
    size_t classes_remembered = 1u << 18;
    size_t processes = 256;  // looked at; what others count is missing from the classes
    size_t threads_shown = 150;
  };
  LiveModel();
  explicit LiveModel(Limits limits);
  ~LiveModel();

  struct Clock {
    uint64_t monotonic_ns = 0;
    double realtime_seconds = 0;
  };
  // Looks once. `ended` are ledgers of processes that have ended since the last look.
  void Look(const std::vector<ServedLedger>& live, const std::vector<ServedLedger>& ended,
            Clock now);
  // What was seen, for others to keep.
  std::shared_ptr<const LiveView> View() const { return view_; }

 private:
  struct Instant;

  WatchedLedger* Find(const ServedLedger& ledger);
  void Sample(WatchedLedger* process, uint64_t elapsed_ns, Instant* instant);
  void Count(WatchedLedger* process);
  void CountTimes();  // of those that were counted, once seats are given out
  void ShowClasses(const Instant& instant, LiveView* view) const;
  void ShowThreads(Instant* instant, LiveView* view);

  const Limits limits_;
  ClassBook book_;
  // By image id: a pid is another process after an exec.
  std::map<std::pair<uint64_t, uint64_t>, std::unique_ptr<WatchedLedger>> processes_;
  std::vector<WatchedLedger*> counted_;  // at this look
  uint64_t last_look_ns_ = 0, last_count_ns_ = 0;
  uint64_t samples_ = 0;
  std::shared_ptr<const LiveView> view_;
};

}  // namespace lockwarden
