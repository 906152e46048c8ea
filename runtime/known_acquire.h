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

template <class Object, class WhichFrame>
LOCKWARDEN_INLINE KnownAcquire LookUpAcquire(const Scope<WhichFrame>& scope, const void* lock,
                                             uint64_t site) {
  ThreadRecord* const record = scope.record();
  const LockUse use = LookUpLock(record, lock);
  if (__builtin_expect(use.cached == nullptr || Object::LooksTaken(lock), 0)) return {};
  const PackedRef ref = use.ref | static_cast<uint8_t>(Object::mode);
  // Relaxed: own field.
  const uint32_t held_count = scope.frame().held_count.load(std::memory_order_relaxed);
  if (__builtin_expect(held_count >= kHeldCapacity[scope.frame_index()], 0)) return {};
  if (held_count != 0 || scope.frame_index() != 0) {
    if (__builtin_expect(MayBeHeldTwice(use.kind_and_flags), 0)) return {};
    if (TheSettings().order &&
        !KnownOrder(record, HeldHash(record, scope.frame_index(), ref))) {
      return {};
    }
  }
  uint32_t stack = 0;
  if (TheSettings().stacks == StackMode::kFull) {
    const StackCacheEntry* const known =
        LookUpStack(record, site, scope.cfa(), ModuleGeneration());
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

// An acquire without a time limit. `call` is the program's own, and acquired(rc) says
// whether the thread holds the lock after it.
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
  frame.held_count.store(known.held_count + 1, std::memory_order_release);  // P5
  CountAcquisition(scope.record());                                         // P6
  // Relaxed: own cache entry.
  known.cached->count.store(known.cached->count.load(std::memory_order_relaxed) + 1,
                            std::memory_order_relaxed);
  return rc;
}

}  // namespace lockwarden::ledger
