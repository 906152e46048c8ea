// The recorder's slow halves: relocks, removals in the middle, contended waits.
#include "runtime/recorder.h"

#include "runtime/class_tally.h"
#include "runtime/modules.h"
#include "runtime/signal_stack.h"
#include "runtime/this_clock.h"

namespace lockwarden::ledger {
namespace {

void Increment(std::atomic<uint64_t>& own_counter, uint64_t by = 1) {
  // Relaxed: only the owning thread writes; readers read at leisure.
  own_counter.store(own_counter.load(std::memory_order_relaxed) + by, std::memory_order_relaxed);
}

// Moves `waits`: pairs with Q1/Q6 of thread_record.h.
void MoveWaits(ThreadRecord* record) {
  record->waits.store(record->waits.load(std::memory_order_relaxed) + 1,  // own field
                      std::memory_order_release);
}

// Nothing of this wait may be taken for a detail of a later one, which may be published
// without details.
void ClearDetails(WaitSlot& wait) {
  // Relaxed, all: the wait word is 0 by now; the next P2 publishes these.
  wait.since_ns.store(0, std::memory_order_relaxed);
  wait.stack.store(0, std::memory_order_relaxed);   // as above
  wait.object.store(0, std::memory_order_relaxed);  // as above
  wait.peer.store(0, std::memory_order_relaxed);    // as above
}

// A program may keep its signal stack in a variable on the thread's own stack, above the
// hook that a handler interrupts: asked of the kernel, before a frame is given up. Under a
// seccomp filter it is not asked; a hook left by longjmp is much more common.
bool OnSignalStack() {
  uint64_t low = 0, high = 0;
  return SignalStackBounds(&low, &high);
}

void DropFrame(uint32_t index) {
  ThisThread& self = this_thread;
  self.LeaveFrame(index);
  Frame& frame = self.record->FrameAt(index);
  // Relaxed: own field.
  if (frame.wait.wait.load(std::memory_order_relaxed) == 0) return;
  frame.wait.wait.store(0, std::memory_order_release);  // P3
  ClearDetails(frame.wait);
  MoveWaits(self.record);
}

// What a handler took out of the list of a frame that it had interrupted: a hole, which
// that frame closes itself. Its depth keeps the fast release away from it.
constexpr uint32_t kHole = ~0u;

bool IsHole(const HeldEntry& entry) {
  // Relaxed, both: own record.
  return entry.lock.load(std::memory_order_relaxed) == 0 &&
         entry.depth.load(std::memory_order_relaxed) == kHole;  // as above
}

void CloseHoles(ThreadRecord* record, uint32_t frame) {
  // Relaxed: own record.
  for (uint32_t i = record->FrameAt(frame).held_count.load(std::memory_order_relaxed); i-- > 0;) {
    if (IsHole(record->held[kHeldBegin[frame] + i])) RemoveHeld(record, frame, i);
  }
}

// Makes room in a full list: what names a life that has ended goes, and so do earlier holds
// of the lock just acquired, which others must have released.
void ForgetDead(ThreadRecord* record, uint32_t frame, uint32_t acquired_index) {
  CloseHoles(record, frame);
  // Relaxed: own record.
  for (uint32_t i = record->FrameAt(frame).held_count.load(std::memory_order_relaxed); i-- > 0;) {
    const PackedRef ref =
        record->held[kHeldBegin[frame] + i].lock.load(std::memory_order_relaxed);  // own record
    // Acquire: pairs with L1 of lock_identity.cc.
    if (ref != 0 && (IndexOf(ref) == acquired_index ||
        LifeIn(this_thread.locks[IndexOf(ref)].generation.load(std::memory_order_acquire)) !=
            GenerationOf(ref))) {
      RemoveHeld(record, frame, i);
    }
  }
}

}  // namespace

void DropStaleFrames(uint64_t cfa) {
  ThisThread& self = this_thread;
  // Relaxed: own record.
  const uint64_t low = self.record->stack_low.load(std::memory_order_relaxed);
  const uint64_t high = self.record->stack_high.load(std::memory_order_relaxed);  // as above
  const auto on_stack = [&](uint64_t sp) { return sp > low && sp < high; };
  // A hook in progress lies below (at lower addresses than) what it was called by, and so
  // does all that it calls or that interrupts it. If this hook's caller stands as high, or
  // higher, the other was left without returning: by longjmp, or by the unwinding of a
  // cancelled thread. On a signal stack nothing can be said.
  for (uint32_t top = self.Depth(); top-- > 0;) {
    const uint64_t sp = self.HookSp(top);
    if (!on_stack(cfa) || !on_stack(sp) || cfa < sp || OnSignalStack()) return;
    DropFrame(top);
  }
}

void DropAllFrames() {
  for (uint32_t top = this_thread.Depth(); top-- > 0;) DropFrame(top);
}

bool EnterFrame(uint64_t cfa) {
  ThisThread& self = this_thread;
  if (self.InRuntime()) return false;
  DropStaleFrames(cfa);
  const uint32_t depth = self.Depth();
  if (depth == kFrames) {
    Increment(self.record->nested_dropped);
    return false;
  }
  if (depth == 0) {
    self.busy = cfa;
    return true;
  }
  self.sp_above[depth - 1] = cfa;
  // A signal handler between the two must not take an old stack pointer for this hook's.
  std::atomic_signal_fence(std::memory_order_release);
  ++self.busy;
  return true;
}

void PushHeldSlow(ThreadRecord* record, uint32_t frame, PackedRef ref, uint64_t site,
                  uint32_t stack) {
  ForgetDead(record, frame, IndexOf(ref));
  // Relaxed: own record.
  if (record->FrameAt(frame).held_count.load(std::memory_order_relaxed) < kHeldCapacity[frame]) {
    return PushHeld(record, frame, ref, site, stack);
  }
  Increment(record->held_dropped);
  CountWithoutHold(record);
}

HeldEntry* FindHeld(ThreadRecord* record, uint32_t lock_index) {
  for (uint32_t f = kFrames; f-- > 0;) {
    // Relaxed, all: own record.
    const uint32_t count = record->FrameAt(f).held_count.load(std::memory_order_relaxed);
    for (uint32_t i = count; i-- > 0;) {
      HeldEntry& entry = record->held[kHeldBegin[f] + i];
      const PackedRef ref = entry.lock.load(std::memory_order_relaxed);  // own record
      if (ref != 0 && IndexOf(ref) == lock_index) return &entry;
    }
  }
  return nullptr;
}

void RemoveHeld(ThreadRecord* record, uint32_t frame, uint32_t at) {
  std::atomic<uint32_t>& held_count = record->FrameAt(frame).held_count;
  const uint32_t count = held_count.load(std::memory_order_relaxed);  // own record
  HeldEntry* found = &record->held[kHeldBegin[frame] + at];
  HeldEntry* end = &record->held[kHeldBegin[frame]] + count;
  // Relaxed, both: own record. A hole ends nothing.
  if ((found->depth.load(std::memory_order_relaxed) & kHoldTimed) != 0) {
    EndTimedHold(record, found->lock.load(std::memory_order_relaxed));  // as above
  }
  // The entry stops naming the lock before anything moves; then each entry above moves one
  // place down. A lock may be named twice for a moment: it is held all the same.
  found->lock.store(0, std::memory_order_release);  // P7
  for (HeldEntry* to = found; to + 1 < end; ++to) {
    const HeldEntry* from = to + 1;
    // Relaxed reads, all: own record.
    to->lock.store(0, std::memory_order_release);  // no mixed entry is ever named
    to->site.store(from->site.load(std::memory_order_relaxed), std::memory_order_release);
    to->stack.store(from->stack.load(std::memory_order_relaxed), std::memory_order_release);  // as above
    to->depth.store(from->depth.load(std::memory_order_relaxed), std::memory_order_release);  // as above
    to->lock.store(from->lock.load(std::memory_order_relaxed), std::memory_order_release);    // as above
  }
  held_count.store(count - 1, std::memory_order_release);  // P7
  (end - 1)->depth.store(0, std::memory_order_relaxed);  // own record; PushHeld relies on it
}

PackedRef PopHeld(ThreadRecord* record, uint32_t frame, uint32_t lock_index) {
  CloseHoles(record, frame);
  HeldEntry* found = FindHeld(record, lock_index);
  if (found == nullptr) {
    Increment(record->unknown_releases);
    return 0;
  }
  const PackedRef ref = found->lock.load(std::memory_order_relaxed);  // own record
  const uint32_t depth = found->depth.load(std::memory_order_relaxed);  // own record
  if ((depth & ~kHoldTimed) != 0) {
    found->depth.fetch_sub(1, std::memory_order_relaxed);  // still held; see HoldAgain
    return ref;
  }
  uint32_t f = kFrames - 1;
  while (found < &record->held[kHeldBegin[f]]) --f;
  if (f >= frame) {
    RemoveHeld(record, f, static_cast<uint32_t>(found - &record->held[kHeldBegin[f]]));
    return ref;
  }
  // That frame was interrupted, perhaps while it changed its list: nothing may move in it.
  if (depth != 0) EndTimedHold(record, ref);
  found->lock.store(0, std::memory_order_release);       // P7
  found->depth.store(kHole, std::memory_order_relaxed);  // own record
  return ref;
}

// A hold of some lock that the lock table had no room for; 0: there is none.
static PackedRef NewestFolded(ThreadRecord* record) {
  for (uint32_t f = kFrames; f-- > 0;) {
    // Relaxed, all: own record; a life's description is written when it begins.
    for (uint32_t i = record->FrameAt(f).held_count.load(std::memory_order_relaxed); i-- > 0;) {
      const PackedRef ref =
          record->held[kHeldBegin[f] + i].lock.load(std::memory_order_relaxed);  // own record
      if (ref == 0) continue;
      const uint32_t kind_and_flags =
          this_thread.locks[IndexOf(ref)].kind_and_flags.load(std::memory_order_relaxed);  // above
      if ((kind_and_flags & kFolded) != 0) return ref;
    }
  }
  return 0;
}

PackedRef RecordReleaseSlow(const Place& place, const void* lock) {
  const PackedRef life = FindLock(lock);
  if (life != 0) return PopHeld(place.record, place.frame_index, IndexOf(life));
  if (const PackedRef folded = NewestFolded(place.record); folded != 0) {
    return PopHeld(place.record, place.frame_index, IndexOf(folded));
  }
  Increment(place.record->unknown_releases);
  return 0;
}

void NoteHandOver(const void* lock) {
  const PackedRef life = FindLock(lock);
  if (life == 0) return;
  // Relaxed: evidence, not synchronisation; the reader looks at it twice.
  TheLedger().Table<LockRecord>(kLocks)[IndexOf(life)].foreign_releases.fetch_add(
      1, std::memory_order_relaxed);
}

void ReleaseNewest(const Place& place, LockKind kind) {
  ThreadRecord* const record = place.record;
  for (uint32_t f = kFrames; f-- > 0;) {
    // Relaxed, all: own record; a life's description is written when it begins.
    for (uint32_t i = record->FrameAt(f).held_count.load(std::memory_order_relaxed); i-- > 0;) {
      const PackedRef ref =
          record->held[kHeldBegin[f] + i].lock.load(std::memory_order_relaxed);  // own record
      if (ref == 0) continue;
      const uint32_t kind_and_flags =
          this_thread.locks[IndexOf(ref)].kind_and_flags.load(std::memory_order_relaxed);  // above
      if (KindOf(kind_and_flags) != kind) continue;
      PopHeld(record, place.frame_index, IndexOf(ref));
      return;
    }
  }
}

void NoteContended(ThreadRecord* record, LockCacheEntry* cached) {
  Increment(record->contentions);
  const LockRecord& lock =
      this_thread.locks[IndexOf(cached->lock.load(std::memory_order_relaxed))];  // own cache entry
  if (!WaitsCount(lock)) return;
  Increment(TallyOf(TheLedger(), record, ClassCountedFor(*cached)).contentions);
}

void BeginContended(ThreadRecord* record, Frame& frame, PackedRef ref, const void* lock,
                    uint64_t site, uint32_t stack) {
  frame.wait.site.store(site, std::memory_order_relaxed);  // P1
  frame.wait.object.store(reinterpret_cast<uint64_t>(lock), std::memory_order_relaxed);  // P1
  frame.wait.stack.store(stack, std::memory_order_relaxed);                              // P1
  if (stack == 0) NoteModulesOf(TheLedger(), &site, 1);
  frame.wait.since_ns.store(MonotonicNs(), std::memory_order_relaxed);  // P1
  MoveWaits(record);
  frame.wait.wait.store(ref, std::memory_order_release);  // P2
}

void EndContended(ThreadRecord* record, Frame& frame, PackedRef ref, bool acquired) {
  // Relaxed: own fields.
  const uint64_t since = frame.wait.since_ns.load(std::memory_order_relaxed);
  if (since != 0) {
    const uint64_t waited = MonotonicNs() - since;
    Increment(record->wait_ns, waited);
    // A join's reference names a thread.
    if (ref != 0 && ModeOf(ref) != Mode::kJoin) {
      const LockRecord& lock = this_thread.locks[IndexOf(ref)];
      // Relaxed: a statistic.
      const uint32_t lock_class = lock.lock_class.load(std::memory_order_relaxed);
      if (WaitsCount(lock)) {
        Increment(TallyOf(TheLedger(), record, lock_class).wait_ns, waited);
        CountWait(lock, waited);
      }
    }
  }
  ClearDetails(frame.wait);
  if (!acquired) MoveWaits(record);
}

void HoldAgain(const Place& place, PackedRef ref, uint64_t site, uint32_t stack) {
  // Looked for now, not before the wait: a handler may have released it meanwhile.
  HeldEntry* again = FindHeld(place.record, IndexOf(ref));
  // Relaxed: own record. A hold of an ended life at this address is not one of this life.
  if (again == nullptr ||
      GenerationOf(again->lock.load(std::memory_order_relaxed)) != GenerationOf(ref)) {
    return PushHeld(place.record, place.frame_index, ref, site, stack);
  }
  // Relaxed: own record. In one instruction: a handler on this thread may count it down.
  again->depth.fetch_add(1, std::memory_order_relaxed);
  CountWithoutHold(place.record);
}

void BeginWait(const Place& place, PackedRef ref, const void* object, uint64_t peer,
               uint64_t site) {
  WaitSlot& wait = place.record->FrameAt(place.frame_index).wait;
  wait.peer.store(peer, std::memory_order_relaxed);                                  // P1
  wait.object.store(reinterpret_cast<uint64_t>(object), std::memory_order_relaxed);  // P1
  wait.site.store(site, std::memory_order_relaxed);                                  // P1
  wait.stack.store(CaptureIfWanted(place.record, site, place.cfa),
                   std::memory_order_relaxed);                   // P1
  wait.since_ns.store(MonotonicNs(), std::memory_order_relaxed);  // P1
  MoveWaits(place.record);
  wait.wait.store(ref, std::memory_order_release);  // P2
}

void EndWait(ThreadRecord* record, Frame& frame, bool acquired) {
  const PackedRef ref = frame.wait.wait.load(std::memory_order_relaxed);  // own field
  frame.wait.wait.store(0, std::memory_order_release);                    // P3
  EndContended(record, frame, ref, acquired);
}

void RestoreHeld(const Place& place, PackedRef held, uint64_t site) {
  HeldEntry* entry = FindHeld(place.record, IndexOf(held));
  if (entry == nullptr) {
    return PushHeld(place.record, place.frame_index, held, site,
                    CaptureIfWanted(place.record, site, place.cfa));
  }
  // Relaxed: own record; one level of a recursive mutex came back. As in HoldAgain.
  entry->depth.fetch_add(1, std::memory_order_relaxed);
}

}  // namespace lockwarden::ledger
