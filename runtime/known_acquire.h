// KnownAcquire: the shortest way through an acquire, for the thread that has done the same
// before: same lock, same stack, same order, and the lock looks free. Its caches then know
// everything, so all that is left is to publish the wait, take the lock and push the hold:
// a few compares and a dozen plain stores around the program's own call.
//
// Whoever is not known takes the general way (Acquisition in recorder.h), which learns and
// counts. Both publish alike; thread_record.h says what (P1..P7).
//
// Written by: the owning thread, into its own record. Must never: do what the general way
// would not.
#pragma once

#include "runtime/recorder.h"

namespace lockwarden::ledger {

struct KnownAcquire {
  LockCacheEntry* cached = nullptr;  // null: not known
  PackedRef ref = 0;                 // with its mode
  uint32_t stack = 0;
  uint32_t held_count = 0;  // before it
};

// How far to look. At once: no further than takes a call, or a loop over what is held, so that
// a hook needs no registers that must be saved first.
enum class Look { kAtOnce, kFurther };

template <class Object, Look kLook = Look::kFurther, class WhichFrame>
LOCKWARDEN_INLINE KnownAcquire LookUpAcquire(const Scope<WhichFrame>& scope, const void* lock,
                                             uint64_t site) {
  ThreadRecord* const record = scope.record();
  LockUse use = LookUpLock(record, lock);
  if (__builtin_expect(use.cached == nullptr, 0)) {
    if (kLook == Look::kAtOnce) return {};
    use = RelearnLock(record, lock, Object::Describe);
    if (use.cached == nullptr) return {};
  }
  if (__builtin_expect(Object::LooksTaken(lock), 0)) return {};
  const PackedRef ref = use.ref | static_cast<uint8_t>(Object::mode);
  // Relaxed: own field.
  const uint32_t held_count = scope.frame().held_count.load(std::memory_order_relaxed);
  if (__builtin_expect(held_count >= kHeldCapacity[scope.frame_index()], 0)) return {};
  if (held_count != 0 || scope.frame_index() != 0) {
    if (__builtin_expect(MayBeHeldTwice(use.kind_and_flags), 0)) return {};
    if (TheSettings().order) {
      if (kLook == Look::kAtOnce ||
          !KnownOrder(record, HeldHash(record, scope.frame_index(), ref))) {
        return {};
      }
    }
  }
  uint32_t stack = 0;
  if (TheSettings().stacks == StackMode::kFull) {
    const StackCacheEntry* const known = LookUpStack(record, site, scope.cfa(), ModuleGeneration());
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
  acquisition.Finish(acquired(rc));
  return rc;
}

// An acquire without a time limit, within a hook's frame. `call` is the program's own, and
// acquired(rc) says whether the thread holds the lock after it.
template <class Object, class WhichFrame, class Call, class Acquired>
LOCKWARDEN_INLINE int Acquire(const Scope<WhichFrame>& scope, const void* lock, uint64_t site,
                              Call call, Acquired acquired) {
  const KnownAcquire known = LookUpAcquire<Object>(scope, lock, site);
  if (__builtin_expect(known.cached == nullptr, 0)) {
    return AcquireUnknown<Object>(scope, lock, 0, site, call, acquired);
  }
  Frame& frame = scope.frame();
  WriteHold(scope.record(), scope.frame_index(), known.held_count, known.ref, site, known.stack);
  frame.wait.wait.store(known.ref, std::memory_order_release);  // P2
  const int rc = call();
  frame.wait.wait.store(0, std::memory_order_release);  // P3
  if (__builtin_expect(!acquired(rc), 0)) {
    EndContended(scope.record(), frame, known.ref, false);
    return rc;
  }
  CountAcquisition(scope.record());                                         // P5
  frame.held_count.store(known.held_count + 1, std::memory_order_release);  // P6
  // Relaxed: own cache entry.
  known.cached->count.store(known.cached->count.load(std::memory_order_relaxed) + 1,
                            std::memory_order_relaxed);
  return rc;
}

// The second half, after the program's own call, apart from the first, so that the first saves
// two registers around the call and not six: what is saved is stored, and a locked instruction
// waits for every store before it. The record is the first half's: a handler may have forked
// meanwhile, and this be the child.
template <class Acquired>
__attribute__((noinline)) int FinishKnown(ThreadRecord* record, LockCacheEntry* cached, int rc,
                                          Acquired acquired) {
  record->frame0.wait.wait.store(0, std::memory_order_release);  // P3
  if (__builtin_expect(acquired(rc), 1)) {
    // Relaxed reads, all: own fields; nothing between the halves has moved the count.
    std::atomic<uint32_t>& held_count = record->frame0.held_count;
    CountAcquisition(record);                     // P5
    held_count.store(held_count.load(std::memory_order_relaxed) + 1,
                     std::memory_order_release);  // P6
    cached->count.store(cached->count.load(std::memory_order_relaxed) + 1,
                        std::memory_order_relaxed);  // own cache entry
  } else {
    // No details were published, so there is no time to add to a lock's.
    EndContended(record, record->frame0, 0, false);
  }
  std::atomic_signal_fence(std::memory_order_seq_cst);  // as in InScope
  this_thread.busy = 0;
  return rc;
}

// Whatever the first half does not know, or cannot do at once.
template <class Object, class Call, class Acquired>
__attribute__((noinline)) int AcquireInScope(const void* lock, uint64_t cfa, uint64_t site,
                                             Call call, Acquired acquired) {
  return InScope(cfa, call, [=](const auto& scope) {
    return Acquire<Object>(scope, lock, site, call, acquired);
  });
}

// A whole hook for an acquire without a time limit.
template <class Object, class Call, class Acquired>
LOCKWARDEN_INLINE int AcquireHook(const void* lock, uint64_t cfa, uint64_t site, Call call,
                                  Acquired acquired) {
  if (__builtin_expect(!CanRecordAtOnce(), 0)) {
    return AcquireInScope<Object>(lock, cfa, site, call, acquired);
  }
  ThisThread& self = this_thread;
  self.busy = cfa;
  std::atomic_signal_fence(std::memory_order_seq_cst);  // what follows is done in the frame
  const Scope<FirstFrame> scope(self.record, cfa, FirstFrame{});
  const KnownAcquire known = LookUpAcquire<Object, Look::kAtOnce>(scope, lock, site);
  if (__builtin_expect(known.cached == nullptr, 0)) {
    self.busy = 0;
    return AcquireInScope<Object>(lock, cfa, site, call, acquired);
  }
  WriteHold(scope.record(), 0, known.held_count, known.ref, site, known.stack);
  scope.frame().wait.wait.store(known.ref, std::memory_order_release);  // P2
  const int rc = call();
  return FinishKnown(scope.record(), known.cached, rc, acquired);
}

}  // namespace lockwarden::ledger
