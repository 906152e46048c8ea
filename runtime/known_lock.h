// KnownLock: the shortest way through an acquire and a release of the library's own locks,
// inlined into the types, for the thread that has done the same before: same lock, same stack,
// same order, and the lock is free. Its caches then know everything, and since to try for a word
// of our own cannot block there is no wait to publish: it takes the lock and pushes the hold.
//
//   false    nothing was done: the general way (own_acquire.h, through the recorder's table),
//            which learns, counts, publishes and waits
//   P4..P7   as in thread_record.h
//
// The records may be another library's, the preload's: all that is used here is reached through
// linked_thread and the record, never through this library's own recorder.
//
// Written by: the owning thread, into its own record. Must never: block, or publish a hold
// before it is one.
#pragma once

#include "runtime/recorder.h"
#include "runtime/the_recorder.h"

namespace lockwarden::ledger {

// This thread is registered, and no hook of it is in progress.
LOCKWARDEN_INLINE bool CanRecordNow(const ThisThread& self) {
  const Gate* const gate = linked_gate.load(std::memory_order_acquire);                 // G0
  return __builtin_expect(self.epoch == gate->epoch.load(std::memory_order_acquire) &&  // G2
                              self.busy == 0,
                          1);
}

// Surely nothing at all, as far as it is recorded.
inline bool HoldsNothing() {
  const ThisThread& self = *linked_thread;
  if (!CanRecordNow(self)) return false;
  for (uint32_t frame = 0; frame < kFrames; ++frame) {
    // Relaxed: own record.
    if (self.record->FrameAt(frame).held_count.load(std::memory_order_relaxed) != 0) return false;
  }
  return true;
}

// In the frame of a hook: what would be published, all of it from the thread's caches.
struct KnownHold {
  LockCacheEntry* cached = nullptr;  // null: not known
  PackedRef ref = 0;                 // with its mode
  uint32_t stack = 0;
  uint32_t held_count = 0;  // before it
};

// Whether the thread, which holds something, may take this too and has done so before.
template <class Format, Look kLook, uint32_t kWants>
LOCKWARDEN_INLINE bool MayHoldToo(ThreadRecord* record, uint32_t count, PackedRef ref) {
  if (kLook == Look::kAtOnce) {
    constexpr bool kOrder = (kWants & kWantsOrder) != 0;
    if (Format::kMayBeHeldTwice || count >= (kOrder ? 3 : kHeldCapacity[0])) return false;
  } else {
    if (count >= kHeldCapacity[0]) return false;
    if (Format::kMayBeHeldTwice && FindHeld(record, IndexOf(ref)) != nullptr) return false;
  }
  if ((kWants & kWantsOrder) == 0) return true;
  return KnownOrder(record, kLook == Look::kAtOnce ? HashOfOrder(record, count, ref)
                                                   : HeldHash(record, 0, ref));
}

template <class Format, Look kLook, uint32_t kWants>
LOCKWARDEN_INLINE KnownHold LookUpHold(const ThisThread& self, const void* lock, uint64_t site,
                                       uint64_t cfa) {
  ThreadRecord* const record = self.record;
  const uint64_t address = reinterpret_cast<uint64_t>(lock);
  LockCacheEntry& cached = LockCachePlace(record, address);
  // Relaxed: own cache entry.
  const PackedRef life = cached.lock.load(std::memory_order_relaxed);
  const LockRecord& lock_record = self.locks[IndexOf(life)];
  // Acquire: as in LookUpLock. Relaxed: own cache entry.
  if (__builtin_expect(
          cached.address.load(std::memory_order_relaxed) != address ||
              lock_record.generation.load(std::memory_order_acquire) != GenerationOf(life),
          0)) {
    return {};
  }
  const PackedRef ref = life | static_cast<uint8_t>(Format::mode);
  // Relaxed: own field.
  const uint32_t count = record->frame0.held_count.load(std::memory_order_relaxed);
  if (count != 0 && !MayHoldToo<Format, kLook, kWants>(record, count, ref)) return {};
  if ((kWants & kWantsStacks) == 0) return {&cached, ref, 0, count};
  // Relaxed: as in ModuleGeneration.
  const uint32_t modules = reinterpret_cast<const Header*>(self.epoch)
                               ->module_generation.load(std::memory_order_relaxed);
  const StackCacheEntry* stack = StackCacheSet(record, site, cfa);
  if (__builtin_expect(!IsThisStack(*stack, site, cfa, modules), 0)) {
    if (kLook == Look::kAtOnce) return {};
    stack = LookUpStack(record, site, cfa, modules);
    if (stack == nullptr) return {};
  }
  return {&cached, ref, stack->stack, count};
}

// `Format`: as in own_lock.h, and kMayBeHeldTwice: by one thread that may not be named in the
// word; and TryFree: Try, but only if nobody holds it in a way that could be this thread's own.
template <class Format, Look kLook, uint32_t kWants>
LOCKWARDEN_INLINE bool AcquireKnown(void* lock, uint64_t site, uint64_t cfa) {
  ThisThread& self = *linked_thread;
  if (!CanRecordNow(self)) return false;
  self.busy = cfa;
  std::atomic_signal_fence(std::memory_order_seq_cst);  // what follows is done in the frame
  const KnownHold known = LookUpHold<Format, kLook, kWants>(self, lock, site, cfa);
  ThreadRecord* const record = self.record;
  // Relaxed: own field.
  const bool taken = __builtin_expect(known.cached != nullptr, 1) &&
                     Format::TryFree(lock, record->tid.load(std::memory_order_relaxed));
  bool timed = false;
  if (__builtin_expect(taken, 1)) {
    WriteHold(record, 0, known.held_count, known.ref, site, known.stack);              // P4
    const uint64_t acquisitions = CountAcquisition(record);                            // P5
    record->frame0.held_count.store(known.held_count + 1, std::memory_order_release);  // P6
    CountFor<Format::mode>(known.cached);
    timed = IsTimeToTime(record, acquisitions);
  }
  std::atomic_signal_fence(std::memory_order_seq_cst);  // and what came before
  self.busy = 0;
  // Last of all, so that nothing must be kept over a call.
  if (__builtin_expect(timed, 0)) TimeHoldAfterHook(&self, record, 0);
  return taken;
}

// The whole of lock(). `kUnknown` is whatever else it takes; it begins with AcquireKnownFurther.
// Each setting has a first look of its own, so that none pays for what only another asks for.
using LockUnknown = void (*)(void* lock, uint64_t site, uint64_t cfa);
template <class Format, LockUnknown kUnknown, uint32_t kWants>
__attribute__((noinline)) void LockWanting(void* lock, uint64_t site, uint64_t cfa) {
  if (!AcquireKnown<Format, Look::kAtOnce, kWants>(lock, site, cfa)) kUnknown(lock, site, cfa);
}
// By `linked_wants`: none where an order is to be checked first.
template <class Format, LockUnknown kUnknown>
inline constexpr LockUnknown kWays[8] = {LockWanting<Format, kUnknown, 0>,
                                         LockWanting<Format, kUnknown, kWantsOrder>,
                                         LockWanting<Format, kUnknown, kWantsStacks>,
                                         LockWanting<Format, kUnknown, kWantsOrder | kWantsStacks>,
                                         kUnknown,
                                         kUnknown,
                                         kUnknown,
                                         kUnknown};
template <class Format, LockUnknown kUnknown>
LOCKWARDEN_INLINE void LockKnown(void* lock, uint64_t site, uint64_t cfa) {
  if constexpr (kInstrumented) {
    // Relaxed: settings do not change, and of a check that begins see BeginToCheckOrder.
    kWays<Format, kUnknown>[linked_wants.load(std::memory_order_relaxed)](lock, site, cfa);
  } else if (__builtin_expect(!Format::TryFree(lock, ThisSelf().tid), 0)) {
    kUnknown(lock, site, cfa);
  }
}

// The second look, for all settings. Where an order is to be checked first there is no short way.
template <class Format>
__attribute__((noinline)) bool AcquireKnownFurther(void* lock, uint64_t site, uint64_t cfa) {
  if constexpr (kInstrumented) {
    constexpr uint32_t kBoth = kWantsOrder | kWantsStacks;
    switch (linked_wants.load(std::memory_order_relaxed)) {  // as above
      case 0:
        return AcquireKnown<Format, Look::kFurther, 0>(lock, site, cfa);
      case kWantsOrder:
        return AcquireKnown<Format, Look::kFurther, kWantsOrder>(lock, site, cfa);
      case kWantsStacks:
        return AcquireKnown<Format, Look::kFurther, kWantsStacks>(lock, site, cfa);
      case kBoth:
        return AcquireKnown<Format, Look::kFurther, kBoth>(lock, site, cfa);
      default:
        return false;
    }
  }
  return false;
}

// If it is the thread's newest hold, held so and once. As ReleaseTop, and gives it back.
template <class Format>
LOCKWARDEN_INLINE bool ReleaseKnown(void* lock) {
  if constexpr (!kInstrumented) {
    if (!Format::MayRelease(lock, ThisSelf())) return false;
    Format::Release(lock);
    return true;
  }
  const ThisThread& self = *linked_thread;
  if (!CanRecordNow(self)) return false;
  ThreadRecord* const record = self.record;
  // Relaxed, all: own record; a lock record's address is written once.
  const uint32_t count = record->frame0.held_count.load(std::memory_order_relaxed);
  if (__builtin_expect(count == 0, 0)) return false;
  const HeldEntry& top = record->held[count - 1];
  const PackedRef ref = top.lock.load(std::memory_order_relaxed);    // own record
  const uint32_t depth = top.depth.load(std::memory_order_relaxed);  // own record
  if (__builtin_expect(self.locks[IndexOf(ref)].address.load(std::memory_order_relaxed) !=
                               reinterpret_cast<uint64_t>(lock) ||
                           depth != 0,
                       0)) {
    return false;
  }
  if (Format::kMayBeHeldTwice && __builtin_expect(ModeOf(ref) != Format::mode, 0)) return false;
  DecrementOwn(record->frame0.held_count);  // P7
  Format::Release(lock);
  return true;
}

}  // namespace lockwarden::ledger
