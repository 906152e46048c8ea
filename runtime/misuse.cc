// Who else holds it, and one record for each place that misuses.
//
//   M1 ready = 1   release   pairs with M2: the record is whole
//   M2 ready       acquire
#include "runtime/misuse.h"

#include "runtime/this_clock.h"

namespace lockwarden::ledger {
namespace {

// A call that is reached by more ways than this is told of these. Callers that differ near the
// call are places of their own: behind a wrapper of locks a whole program has one call.
constexpr uint32_t kStacksPerPlace = 16;
constexpr uint32_t kCallsOfPlace = 4;
// A lock that threads hand over all the time: after so many its holder is not looked for, which
// takes a look at every thread.
constexpr uint32_t kForeignReleasesLookedAt = 1024;

struct Holder {
  uint32_t serial = 0;  // 0: nobody
  uint32_t stack = 0;
  PackedRef hold = 0;
};

// One look at one entry of a list that its owner may be changing.
struct HoldSeen {
  PackedRef ref = 0;  // 0: rewritten meanwhile
  uint32_t stack = 0;
  uint32_t depth = 0;
};

HoldSeen LookAt(const HeldEntry& entry) {
  HoldSeen seen;
  seen.ref = entry.lock.load(std::memory_order_acquire);  // as Q5, but one entry alone
  // Believed only if the name is still the same: acquire keeps them before the second look.
  seen.stack = entry.stack.load(std::memory_order_acquire);
  seen.depth = entry.depth.load(std::memory_order_acquire) & ~kHoldTimed;  // as above
  if (entry.lock.load(std::memory_order_relaxed) != seen.ref) return {};  // as above
  return seen;
}

template <class Visit>
void ForEachThread(const Ledger& ledger, Visit visit) {
  const ThreadRecord* threads = ledger.Table<ThreadRecord>(kThreads);
  // Relaxed: a thread that is not counted yet has done nothing yet.
  const uint32_t used = ledger.header().tables[kThreads].used.load(std::memory_order_relaxed);
  for (uint32_t i = 0; i < used; ++i) visit(threads[i]);
}

// What the thread holds of this life itself: not what its parent's thread held at fork,
// which a child may do away with.
template <class Visit>
void ForEachHold(const ThreadRecord& thread, PackedRef life, Visit visit) {
  for (uint32_t f = 0; f < kFrames; ++f) {
    uint32_t count = thread.FrameAt(f).held_count.load(std::memory_order_acquire);  // Q4
    if (count > kHeldCapacity[f]) count = kHeldCapacity[f];
    for (uint32_t i = 0; i < count; ++i) {
      const HoldSeen seen = LookAt(thread.held[kHeldBegin[f] + i]);
      if (WithoutMode(seen.ref) != WithoutMode(life) || seen.ref == 0) continue;
      if ((seen.ref & kInherited) == 0) visit(seen);
    }
  }
}

// The thread that the word names, if its record says so, too. An ended thread's id may have
// come again: the newest has it.
Holder FindOwner(const Ledger& ledger, PackedRef life, uint32_t tid) {
  Holder found;
  ForEachThread(ledger, [&](const ThreadRecord& thread) {
    // Relaxed, both: written before the thread could hold anything.
    if (thread.tid.load(std::memory_order_relaxed) != tid) return;
    const uint32_t serial = thread.serial.load(std::memory_order_relaxed);  // as above
    if (serial < found.serial) return;
    ForEachHold(thread, life, [&](const HoldSeen& hold) {
      if (ModeOf(hold.ref) != Mode::kShared) found = {serial, hold.stack, hold.ref};
    });
  });
  return found;
}

// A reader, and how many holds of readers are recorded.
Holder FindReader(const Ledger& ledger, PackedRef life, uint32_t* recorded) {
  Holder found;
  *recorded = 0;
  ForEachThread(ledger, [&](const ThreadRecord& thread) {
    ForEachHold(thread, life, [&](const HoldSeen& hold) {
      if (ModeOf(hold.ref) != Mode::kShared) return;
      *recorded += 1 + hold.depth;
      // Relaxed: written before the thread could hold anything.
      found = {thread.serial.load(std::memory_order_relaxed), hold.stack, hold.ref};
    });
  });
  return found;
}

LockRecord& RecordOf(const Ledger& ledger, PackedRef ref) {
  return ledger.Table<LockRecord>(kLocks)[IndexOf(ref)];
}

// The same calls next to the recorder; one of the stacks may be none.
bool SamePlace(const Ledger& ledger, uint32_t a, uint32_t b) {
  if (a == 0 || b == 0) return a == b;
  const uint64_t* const words = ledger.Table<uint64_t>(kStacks);
  for (uint32_t i = 1; i <= kCallsOfPlace; ++i) {
    const bool in_a = i <= (static_cast<uint32_t>(words[a]) & ~kStackInHandler);
    const bool in_b = i <= (static_cast<uint32_t>(words[b]) & ~kStackInHandler);
    if (in_a != in_b) return false;
    if (in_a && words[a + i] != words[b + i]) return false;
  }
  return true;
}

// One misuse at one place of the program; or, of a pair of places, with the stack of the other
// one. Whole stacks tell places apart: behind a wrapper all of a program has one call site.
class Event {
 public:
  Event(const Place& place, MisuseKind kind, uint64_t site)
      : ledger_(TheLedger()), record_(place.record), kind_(static_cast<uint32_t>(kind)),
        site_(site), stack_(CaptureStack(place.record, site, place.cfa)) {}
  Event(const Place& place, MisuseKind kind, uint64_t site, uint32_t other_stack)
      : Event(place, kind, site) {
    of_pair_ = true;
    other_stack_ = other_stack;
  }

  // The same was recorded before: counts it.
  bool CountedBefore() const {
    MisuseRecord* records = ledger_.Table<MisuseRecord>(kMisuse);
    // Relaxed: a record that another thread is just writing may come twice.
    const uint32_t used = ledger_.header().tables[kMisuse].used.load(std::memory_order_relaxed);
    MisuseRecord* known = nullptr;
    uint32_t ways = 0;
    for (uint32_t i = 0; i < used; ++i) {
      MisuseRecord& record = records[i];
      if (record.ready.load(std::memory_order_acquire) == 0) continue;  // M2
      // Relaxed, all: whole since M1.
      if (record.kind.load(std::memory_order_relaxed) != kind_ ||
          record.site.load(std::memory_order_relaxed) != site_) {
        continue;
      }
      known = &record;
      const uint32_t other_stack = record.other_stack.load(std::memory_order_relaxed);  // as above
      const uint32_t stack = record.stack.load(std::memory_order_relaxed);  // as above
      if (stack == stack_ &&
          (!of_pair_ || other_stack == other_stack_)) {
        break;
      }
      const bool near = SamePlace(ledger_, stack, stack_);
      if (near && (!of_pair_ || SamePlace(ledger_, other_stack, other_stack_)) &&
          ++ways == kStacksPerPlace) {
        break;
      }
      known = nullptr;
    }
    if (known == nullptr) return false;
    known->count.fetch_add(1, std::memory_order_relaxed);  // a statistic
    return true;
  }

  // A full table is counted by Allocate.
  void Record(PackedRef lock, PackedRef other_lock, const Holder& other) const {
    const uint32_t index = ledger_.Allocate(kMisuse);
    if (index == kNoIndex) return;
    MisuseRecord& record = ledger_.Table<MisuseRecord>(kMisuse)[index];
    // Relaxed, all: published by M1.
    record.kind.store(kind_, std::memory_order_relaxed);
    record.thread_serial.store(record_->serial.load(std::memory_order_relaxed),
                               std::memory_order_relaxed);  // own record
    record.other_serial.store(other.serial, std::memory_order_relaxed);  // M1
    record.stack.store(stack_, std::memory_order_relaxed);               // M1
    record.other_stack.store(other.stack, std::memory_order_relaxed);    // M1
    record.count.store(1, std::memory_order_relaxed);                    // M1
    record.lock.store(lock, std::memory_order_relaxed);                  // M1
    record.other_lock.store(other_lock, std::memory_order_relaxed);      // M1
    record.site.store(site_, std::memory_order_relaxed);                 // M1
    record.time_ns.store(MonotonicNs(), std::memory_order_relaxed);      // M1
    record.ready.store(1, std::memory_order_release);                    // M1
  }

 private:
  const Ledger ledger_;
  ThreadRecord* record_;
  const uint32_t kind_;
  const uint64_t site_;
  const uint32_t stack_;
  bool of_pair_ = false;
  uint32_t other_stack_ = 0;
};

// Somebody else holds it for certain, as far as that can be said: the owner that the word
// names was seen to take it; or all readers that the word counts were, so that the caller,
// which was not, is none of them.
Holder FindOther(const Place& place, PackedRef life, WordSays says) {
  const Ledger ledger = TheLedger();
  if (says.owner != 0) return FindOwner(ledger, life, says.owner);
  // Relaxed: own record. A thread that took locks unrecorded may be a reader unrecorded.
  if (place.record->held_dropped.load(std::memory_order_relaxed) != 0 ||
      place.record->nested_dropped.load(std::memory_order_relaxed) != 0) {  // as above
    return {};
  }
  uint32_t recorded = 0;
  const Holder reader = FindReader(ledger, life, &recorded);
  return recorded == says.readers ? reader : Holder{};
}

}  // namespace

void NoteForeignRelease(const Place& place, const void* lock, WordSays says, uint64_t site) {
  const PackedRef life = FindLock(lock);
  if (life == 0) return;
  // Relaxed: evidence, not synchronisation; the reader looks at it twice.
  const uint32_t before =
      RecordOf(TheLedger(), life).foreign_releases.fetch_add(1, std::memory_order_relaxed);
  if (!says.taken()) return;
  const Event event(place, MisuseKind::kUnlockNotOwner, site);
  if (event.CountedBefore() || before >= kForeignReleasesLookedAt) return;
  const Holder other = FindOther(place, life, says);
  if (other.serial != 0) event.Record(other.hold, 0, other);
}

void NoteRefusedRelease(const Place& place, PackedRef life, WordSays says, uint64_t site) {
  if (life == 0) return;
  Holder other;
  if (says.owner != 0) {
    other = FindOwner(TheLedger(), life, says.owner);
    if (other.serial == 0) return;  // the parent's thread, say, in whose child this is
  } else if (says.readers != 0) {
    uint32_t recorded = 0;
    other = FindReader(TheLedger(), life, &recorded);
  }
  const Event event(place, MisuseKind::kUnlockNotOwner, site);
  if (!event.CountedBefore()) event.Record(life, 0, other);
}

void NoteTakenDestroy(const Place& place, PackedRef life, WordSays says, uint64_t site) {
  const Ledger ledger = TheLedger();
  Holder other;
  if (says.owner != 0) {
    other = FindOwner(ledger, life, says.owner);
    // A reader whose hold another thread has released still seems to hold. Relaxed: evidence.
  } else if (RecordOf(ledger, life).foreign_releases.load(std::memory_order_relaxed) == 0) {
    uint32_t recorded = 0;
    other = FindReader(ledger, life, &recorded);
  }
  if (other.serial == 0) return;
  const Event event(place, MisuseKind::kDestroyHeld, site);
  if (!event.CountedBefore()) event.Record(other.hold, 0, other);
}

void NoteRelock(const Place& place, PackedRef life, uint64_t site) {
  Holder self;
  ForEachHold(*place.record, life, [&](const HoldSeen& hold) {
    self = {place.record->serial.load(std::memory_order_relaxed), hold.stack, hold.ref};  // own
  });
  if (self.serial == 0) return;  // it took it unrecorded
  const Event event(place, MisuseKind::kRelock, site);
  if (!event.CountedBefore()) event.Record(self.hold, 0, self);
}

void NoteOverrun(const Place& place, PackedRef life, uint64_t site) {
  const Event event(place, MisuseKind::kOverrun, site);
  if (!event.CountedBefore()) event.Record(life, 0, {});
}

void NoteOrderViolation(const Place& place, PackedRef wanted, PackedRef held, TakenAt taken,
                        OrderRule rule, uint64_t site) {
  const uint32_t taken_stack = taken.stack != 0 ? taken.stack : InternSite(taken.site);
  const Event event(place, MisuseKind::kOrderViolation, site, taken_stack);
  if (event.CountedBefore()) return;
  // Relaxed: own record.
  const Holder self = {place.record->serial.load(std::memory_order_relaxed), taken_stack, held};
  event.Record(WithMode(wanted, static_cast<uint8_t>(rule)), held, self);
}

void NoteConditionMutex(const Place& place, PackedRef condition, PackedRef mutex, uint64_t site) {
  if (mutex == 0) return;
  const Ledger ledger = TheLedger();
  // Relaxed: written when the life began.
  const auto is_folded = [&](PackedRef ref) {
    return (RecordOf(ledger, ref).kind_and_flags.load(std::memory_order_relaxed) & kFolded) != 0;
  };
  if (is_folded(condition) || is_folded(mutex)) return;  // one name of many
  const uint32_t mine = IndexOf(mutex);
  // Of two threads that wait with different mutexes the second finds the first one's mutex
  // here, and then its wait, published before: acquire and release pair with each other.
  const uint32_t last =
      LastMutex(RecordOf(ledger, condition)).exchange(mine + 1, std::memory_order_acq_rel);
  if (last == 0 || last == mine + 1) return;
  Holder other;
  PackedRef other_mutex = 0;
  ForEachThread(ledger, [&](const ThreadRecord& thread) {
    if (&thread == place.record) return;
    for (uint32_t f = 0; f < kFrames; ++f) {
      const WaitSlot& wait = thread.FrameAt(f).wait;
      const PackedRef ref = wait.wait.load(std::memory_order_acquire);  // Q2
      if (ModeOf(ref) != Mode::kSignal || WithoutMode(ref) != WithoutMode(condition)) continue;
      // Q3; acquire keeps them before the second look.
      const PackedRef peer = wait.peer.load(std::memory_order_acquire);
      const uint32_t stack = wait.stack.load(std::memory_order_acquire);  // as above
      if (peer == 0 || IndexOf(peer) == mine) continue;
      // Relaxed, both: as above; the serial was written before the thread could wait.
      if (wait.wait.load(std::memory_order_relaxed) != ref) continue;
      other = {thread.serial.load(std::memory_order_relaxed), stack, 0};
      other_mutex = peer;
    }
  });
  if (other.serial == 0) return;
  const Event event(place, MisuseKind::kTwoMutexes, site);
  if (!event.CountedBefore()) event.Record(condition, WithoutMode(mutex), other);
}

}  // namespace lockwarden::ledger
