// SignalLockWatch: locks that signal handlers take, until it is known whether code that a
// handler may interrupt takes them, too; and the finding that says so.
//
// Told only if the handler could wait for ever for what it interrupted:
//   - the handler's call can block: no try, no time limit (the recorder leaves those out);
//   - code outside handlers takes the same lock, in a mode that conflicts;
//   - the lock is not recursive and does not check for errors.
//   - that code was not seen to have the handler's signal blocked (runtime/handler_use.h). Seen
//     with the signal open it is `likely`; what blocks others, or was only seen before the handler
//     came, `possible`.
// Each pair of lock class and handler is told once.
//
// Written and read by: the judge's thread.
#pragma once

#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "watchdog/finding_parts.h"

namespace lockwarden {

// The function that the kernel called, of a stack in a handler: "on_alarm", or its place.
std::string HandlerOf(const FindingParts& parts, uint32_t stack);

class SignalLockWatch {
 public:
  explicit SignalLockWatch(const LedgerReader* reader) : reader_(reader) {}

  void Add(const MisuseInfo& taken, uint64_t now_ns);  // kTakenInHandler
  // A deadlock of a handler with the code that it interrupted was told.
  void Cover(LockKey lock) { covered_.insert(lock); }
  struct Moment {
    uint64_t now_ns = 0;
    bool hold = false;  // a deadlock is suspected: it may be the real thing
    bool last = false;  // there will be no other look
  };
  // News are kept back for a while where more may become known. `caught`: signals that have a
  // handler, bit n-1 for signal n.
  void Tell(const FindingParts& parts, std::optional<uint64_t> caught, Moment moment,
            std::vector<Finding>* findings);
  bool waits() const { return !pending_.empty(); }

 private:
  struct Pending {
    MisuseInfo taken;
    uint64_t since_ns = 0;
  };
  bool Conflicts(const MisuseInfo& taken, const LockInfo& lock) const;

  const LedgerReader* reader_;
  std::vector<Pending> pending_;
  std::set<std::pair<uint32_t, std::string>> told_;  // lock class, handler
  std::set<LockKey> covered_;
};

}  // namespace lockwarden
