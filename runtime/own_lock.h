// OwnLock: what each of the library's own locks does by itself, whoever records it: the
// recorder, inside a hook (own_acquire.h), or nobody.
//
//   mode        how it is held
//   LooksTaken  one would have to wait: a hint
//   MayBeOwn    the calling thread may have it already: a hint that is never wrongly false
//   HeldBy      it has, so that it must not ask again
//   MayRelease  it has it in this mode, as far as the word can say that
//   Try         takes it if that needs no waiting
//   Take        takes it; false: the time is up
//   Release     gives it back; the object may be gone when it returns
//
// Pure but for the lock's own memory. Must never: allocate, throw, or know of the ledger.
#pragma once

#include "runtime/futex_lock.h"
#include "runtime/lock_ref.h"

namespace lockwarden::ledger {

// The calling thread, as words of locks name it.
struct Self {
  uint32_t tid = 0;
  // In its parent, whose locks a forked child's thread took over; 0: none.
  uint32_t before_fork = 0;

  bool Is(uint32_t seat) const {
    const uint32_t owner = seat & kLockTidMask;
    return owner != kLockFree && (owner == tid || owner == before_fork);
  }
};

// Lock and RLock.
struct OwnLock {
  using Word = std::atomic<uint32_t>;
  static constexpr Mode mode = Mode::kExclusive;

  // Relaxed, both: a hint; and only the calling thread can have written its own tid.
  static bool LooksTaken(const void* lock) {
    return static_cast<const Word*>(lock)->load(std::memory_order_relaxed) != kLockFree;
  }
  static bool MayBeOwn(const void* lock) { return LooksTaken(lock); }
  static bool HeldBy(const void* lock, Self self) {
    return self.Is(static_cast<const Word*>(lock)->load(std::memory_order_relaxed));  // as above
  }
  static bool MayRelease(const void* lock, Self self) { return HeldBy(lock, self); }
  static bool Try(void* lock, Self self) {
    return FutexTryLock(static_cast<Word*>(lock), self.tid);
  }
  static bool Take(void* lock, Self self, const TimeLimit* limit) {
    return FutexLock(static_cast<Word*>(lock), self.tid, limit);
  }
  static void Release(void* lock) { FutexUnlock(static_cast<Word*>(lock)); }

  // See known_lock.h. Who holds it stands in the word: where that is free, nobody does.
  static constexpr bool kMayBeHeldTwice = false;
  static bool TryFree(void* lock, uint32_t tid) {
    return FutexTryLock(static_cast<Word*>(lock), tid);
  }
};

}  // namespace lockwarden::ledger
