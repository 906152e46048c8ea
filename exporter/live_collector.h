// LiveCollector: the side thread that looks at ledgers, so that a scrape only copies a
// pointer. It spends a twentieth of a processor: when a look takes long the next one comes
// later, but within two seconds.
//
// Thread safety: Latest is thread-safe; one thread constructs and destroys.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <thread>

#include "absl/base/thread_annotations.h"
#include "watchdog/mutex.h"
#include "exporter/live_view.h"
#include "watchdog/ledger_board.h"

namespace lockwarden {

class LiveCollector {
 public:
  // `ledgers` outlives the collector. `after_each_look` runs in the side thread; may be null.
  LiveCollector(LedgerBoard* ledgers, std::function<void(const LiveView&)> after_each_look);
  ~LiveCollector();
  LiveCollector(const LiveCollector&) = delete;
  LiveCollector& operator=(const LiveCollector&) = delete;

  std::shared_ptr<const LiveView> Latest() const;

 private:
  void Run();

  LedgerBoard* const ledgers_;
  const std::function<void(const LiveView&)> after_each_look_;
  mutable Mutex mutex_;
  std::shared_ptr<const LiveView> view_ ABSL_GUARDED_BY(mutex_) =
      std::make_shared<const LiveView>(LiveView::Empty());
  bool stop_ ABSL_GUARDED_BY(mutex_) = false;
  const int pid_;
  std::thread thread_;
};

}  // namespace lockwarden
