#include "tests/runtime/small_ledger.h"

#include <sys/mman.h>

#include "runtime/class_tally.h"
#include "runtime/settings.h"
#include "runtime/thread_slots.h"

namespace lockwarden::ledger {

SmallLedger::SmallLedger(Capacities capacities)
    : gate_before_(TheGate()), thread_before_(this_thread), size_(Ledger::SizeFor(capacities)) {
  base_ = mmap(nullptr, size_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE,
               -1, 0);
  if (base_ == MAP_FAILED) std::abort();
  Ledger::Format(base_, capacities);
  PrepareThreads();
  gate_.epoch = reinterpret_cast<uint64_t>(base_);
  gate_.state = static_cast<uint32_t>(GateState::kRecording);
  the_gate = &gate_;
  this_thread = ThisThread{};
  the_settings = ParseSettings("profile=test", nullptr);
  EXPECT_TRUE(RegisterThisThread());
  Me().frame0.time_at = 1u << 30;  // no hold is timed unless a test asks for it
}

SmallLedger::~SmallLedger() {
  the_gate = gate_before_;
  this_thread = thread_before_;
  munmap(base_, size_);
}

std::vector<Held> HeldBy(const ThreadRecord& record) {
  std::vector<Held> all;
  for (uint32_t f = 0; f < kFrames; ++f) {
    for (uint32_t i = 0; i < record.FrameAt(f).held_count; ++i) {
      const HeldEntry& entry = record.held[kHeldBegin[f] + i];
      const PackedRef ref = entry.lock;
      if (ref == 0) continue;
      all.push_back({IndexOf(ref), GenerationOf(ref), ModeOf(ref), ModeBitsOf(ref),
                     entry.depth & ~kHoldTimed, f});
    }
  }
  return all;
}

Counted CountedFor(uint32_t lock_class) {
  Counted sum;
  const auto add = [&](const auto& from) {
    sum.exclusive += from.exclusive;
    sum.shared += from.shared;
    sum.contentions += from.contentions;
    sum.wait_ns += from.wait_ns;
  };
  const Ledger ledger = TheLedger();
  add(ledger.Table<LockClassRecord>(kClasses)[lock_class - 1].totals);
  for (uint32_t slot = 0; slot < ledger.header().tables[kThreads].used; ++slot) {
    const ThreadRecord& record = ledger.Table<ThreadRecord>(kThreads)[slot];
    for (const ClassTally& tally : record.class_tallies) {
      if (tally.lock_class == lock_class) add(tally);
    }
    for (const LockCacheEntry& entry : record.lock_cache) {
      if (ClassCountedFor(entry) != lock_class) continue;
      sum.exclusive += entry.exclusive;
      sum.shared += entry.shared;
    }
  }
  return sum;
}

std::vector<uint32_t> IndexesHeldBy(const ThreadRecord& record) {
  std::vector<uint32_t> indexes;
  for (const Held& held : HeldBy(record)) indexes.push_back(held.index);
  return indexes;
}

}  // namespace lockwarden::ledger
