// WatchedLedger: one ledger of those that LiveModel looks at, with what is remembered of it
// between two looks: since when a thread holds or waits, what was counted, names and places.
//
// Not thread-safe. Must never: believe a ledger (see LedgerReader), or take another process for
// the one whose pid it has got.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "exporter/class_book.h"
#include "exporter/live_view.h"
#include "exporter/lock_tally.h"
#include "watchdog/class_times.h"
#include "watchdog/finding_parts.h"
#include "watchdog/ledger_board.h"
#include "watchdog/symbolizer.h"

namespace lockwarden {

class WatchedLedger {
 public:
  // Null: the ledger makes no sense.
  static std::unique_ptr<WatchedLedger> Make(const ServedLedger& ledger);

  const LedgerReader& reader() const { return *reader_; }
  const ServedLedger& ledger() const { return ledger_; }
  bool seen = true;  // for who looks
  LockTally tally;
  ClassTimesReader times;

  // CLOCK_MONOTONIC at which this hold, or wait, was first seen: the thread has acquired
  // nothing since, so it is the same one.
  uint64_t HeldSince(const ThreadInfo& thread, size_t index, uint64_t now_ns);
  uint64_t WaitsSince(const ThreadInfo& thread, uint64_t now_ns);
  void EndLook();

  // Of a lock that counts as one in metrics; nullopt: it does not.
  std::optional<uint32_t> ClassOf(LockKey lock) const;
  uint32_t NumberOf(uint32_t lock_class, ClassBook* book);
  // Empty: the class is not of this process.
  std::string ClassName(uint32_t number);

  // For people.
  LiveLock Lock(LockKey key);
  std::string Where(uint32_t stack, uint64_t site);
  std::string ThreadName(const ThreadInfo& thread);
  LiveProcess Describe(uint64_t threads) const;

 private:
  // Brings the symboliser up to date when it is first asked.
  class Resolver : public StackResolver {
   public:
    explicit Resolver(WatchedLedger* ledger) : ledger_(ledger) {}
    StackTrace Resolve(const std::vector<uint64_t>& pcs) override { return ledger_->Resolve(pcs); }

   private:
    WatchedLedger* const ledger_;
  };
  struct Hold {
    LockKey lock;
    uint32_t place;
    friend auto operator<=>(const Hold&, const Hold&) = default;
  };
  struct Seen {
    uint64_t acquisitions, since_ns;
  };

  WatchedLedger(const ServedLedger& ledger, std::unique_ptr<LedgerReader> reader);
  StackTrace Resolve(const std::vector<uint64_t>& pcs);
  bool HasEnded() const;  // the pid may be another process's by now
  uint64_t Since(const ThreadInfo& thread, const Hold& hold, uint64_t now_ns);
  // The class's key: the same in every life and every process of one build of the program.
  uint64_t KeyOf(uint32_t lock_class);

  const ServedLedger ledger_;
  const std::unique_ptr<LedgerReader> reader_;
  const std::unique_ptr<KernelView> kernel_;
  Resolver resolver_;
  Symbolizer symbolizer_;
  ThreadNames names_;
  FindingParts parts_;
  bool symbols_fresh_ = false;
  std::vector<ModuleInfo> modules_;
  std::vector<std::optional<uint32_t>> numbers_;       // by class
  absl::flat_hash_map<uint32_t, uint32_t> class_of_;   // by number
  absl::flat_hash_map<uint64_t, std::string> places_;  // by stack, or by site
  std::map<std::pair<uint32_t, Hold>, Seen> before_, now_;
};

}  // namespace lockwarden
