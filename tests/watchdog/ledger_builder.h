// LedgerBuilder: a real ledger in this process's memory, written as the recorder writes.
//
// Written by: one test. Read by: the LedgerReader under test, in the same thread.
// Must never: write what no recorder could have written; corruption_test does that by hand.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "runtime/ledger.h"
#include "watchdog/snapshot.h"

namespace lockwarden {

class LedgerBuilder {
 public:
  // Every table is divided by 2^shift.
  explicit LedgerBuilder(uint32_t shift = 6);
  ~LedgerBuilder();
  LedgerBuilder(const LedgerBuilder&) = delete;
  LedgerBuilder& operator=(const LedgerBuilder&) = delete;

  uint32_t AddThread(uint32_t tid, const std::string& name);  // its slot
  // A lock's reference, without mode.
  ledger::PackedRef AddLock(ledger::LockKind kind, uint64_t address, uint32_t flags);
  void Hold(uint32_t slot, ledger::PackedRef ref_with_mode, uint64_t site, uint32_t stack = 0);
  void Release(uint32_t slot, ledger::PackedRef ref);
  // Details as BeginContended would leave them.
  void BeginWait(uint32_t slot, ledger::PackedRef ref_with_mode, uint64_t object, uint64_t site,
                 uint64_t peer = 0, uint32_t frame = 0);
  void EndWait(uint32_t slot, uint32_t frame = 0);
  // `witness.to_stack` and so on as they are. An end may be a thread (ledger::ThreadRef);
  // AddWitness is for edges between locks.
  uint32_t AddEdge(ledger::PackedRef from, ledger::PackedRef to,
                   const std::vector<ledger::OrderWitness>& witnesses);
  void AddWitness(uint32_t edge, const ledger::OrderWitness& witness);
  uint32_t AddStack(const std::vector<uint64_t>& pcs);
  uint32_t AddName(const std::string& name);
  struct Misuse {
    ledger::MisuseKind kind = ledger::MisuseKind::kNone;
    uint32_t thread_serial = 0, other_serial = 0;
    uint32_t stack = 0, other_stack = 0;
    ledger::PackedRef lock = 0, other_lock = 0;
    uint32_t count = 1;
    uint64_t site = 0x4500;
  };
  uint32_t AddMisuse(const Misuse& misuse);  // its index
  void AddMisuse(ledger::MisuseKind kind, uint32_t thread_serial, ledger::PackedRef lock) {
    AddMisuse({.kind = kind, .thread_serial = thread_serial, .lock = lock});
  }
  void AddModule(uint64_t begin, uint64_t end, const std::string& path);

  ledger::ThreadRecord& thread(uint32_t slot);
  ledger::LockRecord& lock(ledger::PackedRef ref);
  ledger::Header& header() { return ledger_.header(); }
  const ledger::Ledger& ledger() const { return ledger_; }
  char* base() const { return static_cast<char*>(ledger_.base()); }
  uint64_t size() const { return size_; }

  std::unique_ptr<LedgerReader> Reader() const;

 private:
  void AddWitness(ledger::OrderEdge& edge, const ledger::OrderWitness& witness);

  uint64_t size_;
  ledger::Ledger ledger_;
};

inline LockKey KeyOf(ledger::PackedRef ref) {
  return {ledger::IndexOf(ref), ledger::GenerationOf(ref)};
}

}  // namespace lockwarden
