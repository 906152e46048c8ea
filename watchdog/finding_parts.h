// FindingParts: what all findings are made of: locks, stacks, threads, and how they are
// called in a sentence.
//
// Written and read by: the judge's thread. Must never: keep anything that points into
// the ledger, since a finding outlives it.
#pragma once

#include <cstdint>
#include <string>

#include "absl/container/flat_hash_map.h"
#include "watchdog/finding.h"
#include "watchdog/judge.h"
#include "watchdog/snapshot.h"

namespace lockwarden {

// Threads by serial, also of those that have ended.
struct ThreadName {
  uint32_t tid = 0;
  std::string name;
};
using ThreadNames = absl::flat_hash_map<uint32_t, ThreadName>;

class FindingParts {
 public:
  FindingParts(const LedgerReader* reader, KernelView* kernel, StackResolver* resolver,
               const ThreadNames* names, int pid)
      : reader_(reader), kernel_(kernel), resolver_(resolver), names_(names), pid_(pid) {}

  // Process, program and time filled in.
  Finding Begin(FindingKind kind, uint64_t now_ns) const;
  FindingLock Lock(LockKey key) const;
  // Index into finding->locks; the same lock comes once.
  size_t AddLock(Finding* finding, LockKey key) const;
  // Stack `id`, or the site alone if there is none; empty if there is neither.
  StackTrace Stack(uint32_t id, uint64_t site) const;
  // A thread that runs now; asks the kernel for a name if the ledger has none.
  FindingThread Thread(const ThreadInfo& info) const;
  // A thread that may have ended.
  FindingThread Thread(uint32_t serial) const;

  const LedgerReader& reader() const { return *reader_; }

 private:
  std::string LockClass(const LockInfo& info) const;

  const LedgerReader* reader_;
  KernelView* kernel_;
  StackResolver* resolver_;
  const ThreadNames* names_;
  const int pid_;
};

// "f, x.cc:12": the innermost frame that is the program's own. Empty: not known.
std::string Place(const StackTrace& stack);
// " (taken at f, x.cc:12)"; empty if the place is not known.
std::string PlaceInBrackets(const char* verb, const StackTrace& stack);
// "thread 'io-2' (tid 12)".
std::string NameOf(const FindingThread& thread);
std::string Capitalized(std::string text);
// "2 threads", "1 lock".
std::string Counted(size_t count, const char* noun);
const char* LockKindName(ledger::LockKind kind);
const char* ModeName(ledger::Mode mode);

}  // namespace lockwarden
