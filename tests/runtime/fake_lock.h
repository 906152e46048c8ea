// FakeLock and hooks for it: the recorder's steps around an acquire and a release, as the
// real hooks make them, with a seam where the real call would be. No thread ever blocks.
#pragma once

#include <cstdint>

#include "runtime/misuse.h"
#include "runtime/recorder.h"
#include "runtime/semaphore_units.h"

namespace lockwarden::ledger {

struct alignas(8) FakeLock {
  uint32_t taken = 0;                // makes LooksTaken say so
  mutable uint32_t taken_looks = 0;  // and so often, whatever `taken` says
};

template <LockKind kKind, Mode kMode, uint32_t kFlags = 0>
struct FakeObject {
  static constexpr Mode mode = kMode;
  static uint32_t Describe(const void*) { return static_cast<uint32_t>(kKind) | kFlags; }
  static bool LooksTaken(const void* lock) {
    const auto* fake = static_cast<const FakeLock*>(lock);
    if (fake->taken_looks == 0) return fake->taken != 0;
    --fake->taken_looks;
    return true;
  }
};
using FakeMutex = FakeObject<LockKind::kMutex, Mode::kExclusive>;
using FakeRecursive = FakeObject<LockKind::kMutex, Mode::kExclusive, kRecursive>;
using FakeReader = FakeObject<LockKind::kRwLock, Mode::kShared>;
using FakeWriter = FakeObject<LockKind::kRwLock, Mode::kExclusive>;
using FakeCondition = FakeObject<LockKind::kCondition, Mode::kSignal>;
using FakeSemaphore = FakeObject<LockKind::kSemaphore, Mode::kUnit>;

// Stands where the real call is; says whether it succeeded.
struct Succeed {
  bool operator()() const { return true; }
};
struct Refuse {
  bool operator()() const { return false; }
};

template <class WhichFrame>
WhichFrame WhichOf(const Scope<WhichFrame>&);

// True if the call was recorded; `real` runs either way.
template <class Object = FakeMutex, class Real = Succeed>
__attribute__((noinline)) bool Acquire(FakeLock* lock, Real real = {}, uint8_t mode_bits = 0) {
  const uint64_t site = LOCKWARDEN_SITE;
  const auto plain = [&] { return real(), false; };
  return InScope(LOCKWARDEN_CFA, plain, [&](const auto& scope) {
    Acquisition<Object, decltype(WhichOf(scope))> acquisition(scope, lock, mode_bits,
                                                                            site);
    const bool acquired = real();
    if constexpr (Object::mode == Mode::kUnit) {
      acquisition.Finish(acquired, acquired && HoldsUnits(scope, acquisition.ref()));
    } else {
      acquisition.Finish(acquired);
    }
    return acquisition.ref() != 0;
  });
}

// What was popped; 0 if the thread was not known to hold it, or the call was not recorded.
template <class Real = Succeed>
__attribute__((noinline)) PackedRef Release(FakeLock* lock, Real real = {}) {
  const auto plain = [&] { return real(), PackedRef{0}; };
  return InScope(LOCKWARDEN_CFA, plain, [&](const auto& scope) {
    const PackedRef popped = RecordRelease(scope, lock);
    real();
    return popped;
  });
}

// A release by a thread that was not seen to take it; what the lock's word says of it.
__attribute__((noinline)) inline void ReleaseForeign(FakeLock* lock, WordSays says = {}) {
  const uint64_t site = LOCKWARDEN_SITE;
  InScope(LOCKWARDEN_CFA, [] { return 0; }, [&](const auto& scope) {
    NoteForeignRelease(scope, lock, says, site);
    return 0;
  });
}

__attribute__((noinline)) inline void Post(FakeLock* semaphore) {
  const uint64_t site = LOCKWARDEN_SITE;
  InScope(LOCKWARDEN_CFA, [] { return 0; }, [&](const auto& scope) {
    ReleaseUnit(scope, semaphore, FakeSemaphore::Describe, site);
    return 0;
  });
}

// As an init hook does.
template <class Object = FakeMutex>
__attribute__((noinline)) void Create(FakeLock* lock) {
  const uint64_t site = LOCKWARDEN_SITE;
  InScope(LOCKWARDEN_CFA, [] { return 0; }, [&](const auto& scope) {
    BeginLockLife(scope.record(), lock, Object::Describe(lock), site, scope.cfa());
    return 0;
  });
}

// As a destroy hook does.
inline void Destroy(FakeLock* lock) {
  const PackedRef life = FindLock(lock);
  if (life != 0) EndLockLife(life);
}

}  // namespace lockwarden::ledger
