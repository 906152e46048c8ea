// What threads of this process wait for, as their records in its own ledger say: a test knows
// from it that another thread stands where it wants it, without a sleep.
//
// Polls with a deadline; fails the test after it. Thread-safe.
#pragma once

#include <gtest/gtest.h>

#include <chrono>
#include <thread>

#include "runtime/gate.h"

namespace lockwarden {

struct Waiters {
  int count = 0, timed = 0;
};

inline Waiters WaitersOf(const void* object) {
  if (ledger::TheGate()->epoch == 0) return {};  // no thread has come so far
  const ledger::Ledger book = ledger::TheLedger();
  const auto* threads = book.Table<ledger::ThreadRecord>(ledger::kThreads);
  const auto* locks = book.Table<ledger::LockRecord>(ledger::kLocks);
  Waiters waiters;
  const uint32_t used = book.header().tables[ledger::kThreads].used;
  for (uint32_t i = 0; i < used; ++i) {
    const ledger::PackedRef ref = threads[i].frame0.wait.wait;
    if (ref == 0 || ledger::IndexOf(ref) == ledger::kNoIndex ||
        ledger::ModeOf(ref) == ledger::Mode::kJoin) {
      continue;
    }
    if (locks[ledger::IndexOf(ref)].address != reinterpret_cast<uint64_t>(object)) continue;
    ++waiters.count;
    if ((ref & ledger::kTimed) != 0) ++waiters.timed;
  }
  return waiters;
}

// Until so many threads wait for the object.
inline void AwaitWaiters(const void* object, int count) {
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(30);
  while (WaitersOf(object).count != count) {
    ASSERT_LT(std::chrono::steady_clock::now(), deadline) << "threads that never waited";
    std::this_thread::yield();
  }
}

// What the calling thread is recorded to hold.
inline int HoldsOfThisThread() {
  const ledger::ThreadRecord* const record = ledger::this_thread.record;
  return record == nullptr ? 0 : static_cast<int>(record->frame0.held_count);
}

}  // namespace lockwarden
