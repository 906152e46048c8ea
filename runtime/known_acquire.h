// KnownAcquire: the shortest way through an acquire, for the thread that has done the same
// before: same lock, same stack, same order, and the lock looks free. Its caches then know
// everything, so all that is left is to publish the wait, take the lock and push the hold:
// a few compares and a dozen plain stores around the program's own call. A try, which cannot
// block, has neither order nor wait.
//
// Whoever is not known takes the general way (Acquisition in recorder.h), which learns and
// counts. Both publish alike; thread_record.h says what (P1..P7).
//
// Written by: the owning thread, into its own record. Must never: do what the general way
// would not.
#pragma once

#include "runtime/recorder.h"
#include "runtime/semaphore_units.h"

namespace lockwarden::ledger {

// The lock is looked at before it is taken. If another processor has it, the look would fetch it
// to read and the acquire fetch it anew to write: so it is fetched to write at once, while the
// thread's caches are asked. Never faults; what cannot do it does nothing.
LOCKWARDEN_INLINE void FetchToWrite(const void* lock) {
#ifdef __x86_64__
  // The compiler's own would fetch it to read, unless it may assume a later processor.
  __asm__ volatile("prefetchw %0" : : "m"(*static_cast<const char*>(lock)));
#else
  __builtin_prefetch(lock, /*write=*/1);
#endif
}

struct KnownAcquire {
  LockCacheEntry* cached = nullptr;  // null: not known
  PackedRef ref = 0;                 // with its mode
  uint32_t stack = 0;
  uint32_t held_count = 0;  // before it
};

// Whether this lock is on the held list already, where a hold more must be counted in the entry
// that is there. A list with units of semaphores may have some that nobody will release: those
// are forgotten before another unit is pushed.
template <class Object, Look kLook, class WhichFrame>
LOCKWARDEN_INLINE bool ListMustBeSearched(const Scope<WhichFrame>& scope, uint32_t held_count,
                                          uint32_t lock_index) {
  ThreadRecord* const record = scope.record();
  constexpr bool kUnits = Object::mode == Mode::kUnit;
  if (kLook == Look::kFurther) {
    if (FindHeld(record, lock_index) != nullptr) return true;
    return kUnits && HasStaleUnits(record, scope.frame_index());
  }
#pragma GCC unroll 1
  for (uint32_t i = 0; i < held_count; ++i) {
    // Relaxed: own record.
    const PackedRef held =
        record->held[kHeldBegin[scope.frame_index()] + i].lock.load(std::memory_order_relaxed);
    if (kUnits ? ModeOf(held) == Mode::kUnit : IndexOf(held) == lock_index) return true;
  }
  return false;
}

// kBits: kTimed, kTry or 0.
template <class Object, Look kLook = Look::kFurther, uint8_t kBits = 0, class WhichFrame>
LOCKWARDEN_INLINE KnownAcquire LookUpAcquire(const Scope<WhichFrame>& scope, const void* lock,
                                             uint64_t site) {
  constexpr bool kTries = (kBits & kTry) != 0;
  ThreadRecord* const record = scope.record();
  LockUse use = LookUpLock(record, lock);
  if (__builtin_expect(use.cached == nullptr, 0)) {
    if (kLook == Look::kAtOnce) return {};
    use = RelearnLock(record, lock, Object::Describe);
    if (use.cached == nullptr) return {};
  }
  if (!kTries && __builtin_expect(Object::LooksTaken(lock), 0)) return {};
  const PackedRef ref = use.ref | static_cast<uint8_t>(Object::mode) | kBits;
  // Relaxed: own field.
  const uint32_t held_count = scope.frame().held_count.load(std::memory_order_relaxed);
  if (__builtin_expect(held_count >= kHeldCapacity[scope.frame_index()], 0)) return {};
  if (held_count != 0 || scope.frame_index() != 0) {
    if (MayBeHeldTwice(use.kind_and_flags) &&
        ListMustBeSearched<Object, kLook>(scope, held_count, IndexOf(ref))) {
      return {};
    }
    if (!kTries && TheSettings().order) {
      if (kLook == Look::kAtOnce && held_count != 1) return {};
      const uint64_t hash = kLook == Look::kAtOnce ? HashOfOrder(record, 1, ref)
                                                   : HeldHash(record, scope.frame_index(), ref);
      if (!KnownOrder(record, hash)) return {};
    }
  }
  uint32_t stack = 0;
  if (TheSettings().stacks == StackMode::kFull) {
    const uint32_t generation = ModuleGeneration();
    const StackCacheEntry* known = LookUpStack(record, site, scope.cfa(), generation);
    if (kLook == Look::kFurther && known == nullptr) {
      known = LookUpStackFurther(record, site, scope.cfa(), generation);
    }
    if (__builtin_expect(known == nullptr, 0)) return {};
    stack = known->stack;
  }
  return {use.cached, ref, stack, held_count};
}

template <class Object, class WhichFrame, class Call, class Acquired>
__attribute__((noinline)) int AcquireUnknown(Scope<WhichFrame> scope, const void* lock,
                                             uint8_t mode_bits, uint64_t site, Call call,
                                             Acquired acquired) {
  Acquisition<Object, WhichFrame> acquisition(scope, lock, mode_bits, site);
  const int rc = call();
  const bool holds =
      Object::mode != Mode::kUnit || (acquired(rc) && HoldsUnits(scope, acquisition.ref()));
  acquisition.Finish(acquired(rc), holds);
  return rc;
}

// After the program's own call: what was written above the held list is a hold now, or is not.
// Nothing since has moved the count. True: this hold is to be timed.
template <class Object, uint8_t kBits, class Acquired>
LOCKWARDEN_INLINE bool FinishKnownIn(ThreadRecord* record, uint32_t frame_index,
                                     LockCacheEntry* cached, int rc, Acquired acquired) {
  constexpr bool kTries = (kBits & kTry) != 0;
  Frame& frame = record->FrameAt(frame_index);
  if (!kTries) frame.wait.wait.store(0, std::memory_order_release);  // P3
  if (__builtin_expect(!acquired(rc), 0)) {
    // No details were published, so there is no time to add to a lock's.
    if (!kTries) EndContended(record, frame, 0, false);
    return false;
  }
  const uint64_t acquisitions = CountAcquisition(record);  // P5
  // Relaxed, both: own fields.
  const uint32_t held_count = frame.held_count.load(std::memory_order_relaxed);
  if constexpr (Object::mode == Mode::kUnit) {
    const HeldEntry& above = record->held[kHeldBegin[frame_index] + held_count];
    if (IsHandedOver(above.lock.load(std::memory_order_relaxed))) {  // own record
      if (__builtin_expect(IsTimeToTime(record, acquisitions), 0)) PassTimedHold(record);
      return false;
    }
  }
  frame.held_count.store(held_count + 1, std::memory_order_release);  // P6
  CountFor<Object::mode>(cached);
  return __builtin_expect(IsTimeToTime(record, acquisitions), 0);
}

// An acquire within a hook's frame. `call` is the program's own, and acquired(rc) says whether
// the thread holds the lock after it.
template <class Object, uint8_t kBits = 0, class WhichFrame, class Call, class Acquired>
LOCKWARDEN_INLINE int Acquire(const Scope<WhichFrame>& scope, const void* lock, uint64_t site,
                              Call call, Acquired acquired) {
  const KnownAcquire known = LookUpAcquire<Object, Look::kFurther, kBits>(scope, lock, site);
  if (__builtin_expect(known.cached == nullptr, 0)) {
    return AcquireUnknown<Object>(scope, lock, kBits, site, call, acquired);
  }
  WriteHold(scope.record(), scope.frame_index(), known.held_count, known.ref, site, known.stack);
  if ((kBits & kTry) == 0) {
    scope.frame().wait.wait.store(known.ref, std::memory_order_release);  // P2
  }
  const int rc = call();
  if (FinishKnownIn<Object, kBits>(scope.record(), scope.frame_index(), known.cached, rc,
                                   acquired)) {
    TimeNewestHold(scope.record(), scope.frame_index());
  }
  return rc;
}

// The second half, after the program's own call, apart from the first, so that the first saves
// two registers around the call and not six: what is saved is stored, and a locked instruction
// waits for every store before it. The record is the first half's: a handler may have forked
// meanwhile, and this be the child.
template <class Object, uint8_t kBits, class Acquired>
__attribute__((noinline)) int FinishKnown(ThreadRecord* record, LockCacheEntry* cached, int rc,
                                          Acquired acquired) {
  const bool timed = FinishKnownIn<Object, kBits>(record, 0, cached, rc, acquired);
  std::atomic_signal_fence(std::memory_order_seq_cst);  // as in InScope
  this_thread.busy = 0;
  // Last of all, so that nothing must be kept over a call.
  if (__builtin_expect(timed, 0)) return TimeHoldAfterHook(&this_thread, record, rc);
  return rc;
}

// Whatever the first half does not know, or cannot do at once.
template <class Object, uint8_t kBits, class Call, class Acquired>
__attribute__((noinline)) int AcquireInScope(const void* lock, uint64_t cfa, uint64_t site,
                                             Call call, Acquired acquired) {
  return InScope(cfa, call, [=](const auto& scope) {
    return Acquire<Object, kBits>(scope, lock, site, call, acquired);
  });
}

// A whole hook for an acquire; kBits: kTimed, kTry or 0.
template <class Object, uint8_t kBits = 0, class Call, class Acquired>
LOCKWARDEN_INLINE int AcquireHook(const void* lock, uint64_t cfa, uint64_t site, Call call,
                                  Acquired acquired) {
  if (__builtin_expect(!CanRecordAtOnce(), 0)) {
    return AcquireInScope<Object, kBits>(lock, cfa, site, call, acquired);
  }
  FetchToWrite(lock);
  ThisThread& self = this_thread;
  self.busy = cfa;
  std::atomic_signal_fence(std::memory_order_seq_cst);  // what follows is done in the frame
  const Scope<FirstFrame> scope(self.record, cfa, FirstFrame{});
  const KnownAcquire known = LookUpAcquire<Object, Look::kAtOnce, kBits>(scope, lock, site);
  if (__builtin_expect(known.cached == nullptr, 0)) {
    self.busy = 0;
    return AcquireInScope<Object, kBits>(lock, cfa, site, call, acquired);
  }
  WriteHold(scope.record(), 0, known.held_count, known.ref, site, known.stack);
  if ((kBits & kTry) == 0) {
    scope.frame().wait.wait.store(known.ref, std::memory_order_release);  // P2
  }
  const int rc = call();
  return FinishKnown<Object, kBits>(scope.record(), known.cached, rc, acquired);
}

}  // namespace lockwarden::ledger
