// LedgerBoard: the ledgers that exist now, for the exporter's own thread to look at, so that
// its looking costs the supervisor's loop nothing.
//
// Written by: the supervisor's loop. Read by: one thread of the exporter, through a LedgerReader
// of its own over the same mapping. Thread-safe; the mutex is held for copies of pointers.
#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "watchdog/mutex.h"

namespace lockwarden {

class LedgerReader;

struct ServedLedger {
  int pid = 0;
  bool is_program = false;  // that which was asked for, not a process that it started
  std::shared_ptr<const LedgerReader> reader;  // keeps the mapping
};

class LedgerBoard {
 public:
  void Publish(std::vector<ServedLedger> live) {
    MutexLock lock(&mutex_);
    live_.swap(live);
  }
  // Somebody takes the ended ones from now on; before that they are let go.
  void TakesEnded() {
    MutexLock lock(&mutex_);
    takes_ended_ = true;
  }
  // A process has ended; its last counts may still be wanted.
  void Ended(ServedLedger ledger) {
    MutexLock lock(&mutex_);
    if (takes_ended_ && ended_.size() < kMostEnded) ended_.push_back(std::move(ledger));
  }
  std::vector<ServedLedger> Live() const {
    MutexLock lock(&mutex_);
    return live_;
  }
  std::vector<ServedLedger> TakeEnded() {
    std::vector<ServedLedger> ended;
    MutexLock lock(&mutex_);
    ended_.swap(ended);
    return ended;
  }

 private:
  // A storm of short-lived processes must not pile up mappings while the exporter is slow.
  static constexpr size_t kMostEnded = 64;

  mutable Mutex mutex_;
  bool takes_ended_ ABSL_GUARDED_BY(mutex_) = false;
  std::vector<ServedLedger> live_ ABSL_GUARDED_BY(mutex_);
  std::vector<ServedLedger> ended_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace lockwarden
