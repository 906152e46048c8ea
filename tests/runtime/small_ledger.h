// SmallLedger: a fixture that gives the test's process a small ledger of its own behind a
// gate of its own, so that the recorder's real code can be driven, and filled up, without a
// supervisor and without what other tests left behind. No hold of the test's own thread is timed.
//
// Threads of a test must be joined before the fixture goes. Must never: be used twice at once.
#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <vector>

#include "runtime/gate.h"
#include "runtime/ledger.h"

namespace lockwarden::ledger {

// One entry of a held list, as a reader would see it.
struct Held {
  uint32_t index;
  uint32_t generation;
  Mode mode;
  uint8_t mode_bits;
  uint32_t depth;
  uint32_t frame;
};

class SmallLedger : public testing::Test {
 protected:
  explicit SmallLedger(Capacities capacities = Capacities{}.Scaled(6));
  ~SmallLedger() override;

  ThreadRecord& Me() { return *this_thread.record; }
  Header& header() { return TheLedger().header(); }
  LockRecord& LockAt(uint32_t index) { return TheLedger().Table<LockRecord>(kLocks)[index]; }
  uint64_t Dropped(TableId table) { return header().tables[table].dropped; }
  uint32_t Used(TableId table) { return header().tables[table].used; }

 private:
  Gate gate_;
  Gate* gate_before_;
  ThisThread thread_before_;
  void* base_ = nullptr;
  uint64_t size_ = 0;
};

// What `record` says that its thread holds, oldest first, frame by frame; rewritten entries
// are left out, as a reader leaves them out.
std::vector<Held> HeldBy(const ThreadRecord& record);
// What was counted for the locks of one class, by all threads and in the class's record.
struct Counted {
  uint64_t exclusive = 0, shared = 0, contentions = 0, wait_ns = 0;
};
Counted CountedFor(uint32_t lock_class);
// Indexes alone.
std::vector<uint32_t> IndexesHeldBy(const ThreadRecord& record);

}  // namespace lockwarden::ledger
