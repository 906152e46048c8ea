// The locking itself, for SharedLock: one seat, and the readers, in one 64-bit word, so that
// each uncontended step is one atomic operation and nothing is touched after a release.
//
//   {seat: tid | waiters bit, readers: count | wait bit | closed bit}
//
//   upgradeable   has the seat; readers come and go
//   exclusive     has the seat and has closed it for readers; holds once all have left
//   shared        one of the count; comes in while it is not closed
//
// So there is one upgrader at a time, and a writer waits for the readers of before, not for
// those that come after it: it cannot starve. When it leaves, readers are woken first and then
// the next writer; a stream of writers that never sleep may overtake them.
//
//   S1 seat taken               CAS acquire        pairs with S2 and S4 of all before
//   S2 seat or closed given up  RMW release
//   S3 a reader comes           CAS acquire        pairs with S2
//   S4 a reader leaves          fetch_sub release  pairs with S1, S5
//   S5 no readers are left      load acquire       the writer's last look
//   S6 a bit says "asleep"      CAS relaxed        the kernel compares again before the sleep
//
// Each of these reads what the one before it wrote (a release sequence), so a later one
// synchronises with all before.
#pragma once

#include <atomic>
#include <cstdint>

#include "runtime/own_lock.h"

namespace lockwarden::ledger {

using SharedWord = std::atomic<uint64_t>;

inline constexpr uint64_t kSeatMask = 0xffffffffu;
inline constexpr uint64_t kOneReader = uint64_t{1} << 32;
constexpr uint64_t InReaders(uint32_t bits) { return uint64_t{bits} << 32; }
constexpr uint32_t SeatOf(uint64_t word) { return static_cast<uint32_t>(word); }
constexpr uint32_t ReadersOf(uint64_t word) {
  return static_cast<uint32_t>(word >> 32) & kReadersMask;
}
constexpr bool IsClosed(uint64_t word) { return (word & InReaders(kReadersClosed)) != 0; }

// False: the time is up; `limit` may be null. Those called Try never wait.
bool TakeShared(SharedWord* word, const TimeLimit* limit);
bool TakeExclusive(SharedWord* word, uint32_t tid, const TimeLimit* limit);
bool TakeUpgrade(SharedWord* word, uint32_t tid, const TimeLimit* limit);
bool TryUpgrade(SharedWord* word, uint32_t tid);
void WakeDrainer(SharedWord* word);
void WakeOthers(SharedWord* word, uint64_t before);
inline void ReleaseShared(SharedWord* word) {
  const uint64_t before = word->fetch_sub(kOneReader, std::memory_order_release);  // S4
  if (__builtin_expect(IsClosed(before), 0) && ReadersOf(before) == 1) WakeDrainer(word);
}
inline void ReleaseExclusive(SharedWord* word) {
  const uint64_t before = word->exchange(0, std::memory_order_release);  // S2
  if (__builtin_expect((before & (kLockWaiters | InReaders(kReadersWait))) != 0, 0)) {
    WakeOthers(word, before);
  }
}
void ReleaseUpgrade(SharedWord* word);
// By whoever has the seat.
bool UpgradeToExclusive(SharedWord* word, const TimeLimit* limit);
bool TryUpgradeToExclusive(SharedWord* word);
void ExclusiveToUpgrade(SharedWord* word);
void ExclusiveToShared(SharedWord* word);
void UpgradeToShared(SharedWord* word);

// Relaxed, all but where noted: a hint, or what only the calling thread can have written.
struct OwnSharedWord {
  // See known_lock.h. Readers are not named in the word.
  static constexpr bool kMayBeHeldTwice = true;
  static const SharedWord& At(const void* lock) { return *static_cast<const SharedWord*>(lock); }
  static SharedWord* At(void* lock) { return static_cast<SharedWord*>(lock); }
  // Relaxed, as above.
  static uint64_t Look(const void* lock) { return At(lock).load(std::memory_order_relaxed); }
  // Whoever has the seat may not ask for more, in whatever mode: it would wait for itself.
  static bool HeldBy(const void* lock, Self self) { return self.Is(SeatOf(Look(lock))); }
};

struct OwnShared : OwnSharedWord {
  static constexpr Mode mode = Mode::kShared;
  static bool LooksTaken(const void* lock) { return IsClosed(Look(lock)); }
  static bool MayBeOwn(const void* lock) { return SeatOf(Look(lock)) != kLockFree; }
  static bool MayRelease(const void* lock, Self) { return ReadersOf(Look(lock)) != 0; }
  static bool Try(void* lock, Self) {
    uint64_t seen = Look(lock);
    while (!IsClosed(seen)) {
      // S3; on failure only the word is read.
      if (At(lock)->compare_exchange_weak(seen, seen + kOneReader, std::memory_order_acquire,
                                          std::memory_order_relaxed)) {
        return true;
      }
    }
    return false;
  }
  static bool Take(void* lock, Self self, const TimeLimit* limit) {
    return __builtin_expect(Try(lock, self), 1) || TakeShared(At(lock), limit);
  }
  static void Release(void* lock) { ReleaseShared(At(lock)); }
  // Once: another reader's step may be in between, then it is not worth a loop here.
  static bool TryFree(void* lock, uint32_t) {
    uint64_t seen = Look(lock);
    // S3; on failure nothing is read. With the seat free it is not closed either.
    return SeatOf(seen) == kLockFree &&
           At(lock)->compare_exchange_strong(seen, seen + kOneReader, std::memory_order_acquire,
                                             std::memory_order_relaxed);
  }
};

struct OwnExclusive : OwnSharedWord {
  static constexpr Mode mode = Mode::kExclusive;
  static bool LooksTaken(const void* lock) { return Look(lock) != 0; }
  static bool MayBeOwn(const void* lock) { return LooksTaken(lock); }
  static bool MayRelease(const void* lock, Self self) {
    const uint64_t seen = Look(lock);
    return self.Is(SeatOf(seen)) && IsClosed(seen);
  }
  static bool Try(void* lock, Self self) {
    uint64_t free = 0;
    // S1; on failure only the word is read.
    return At(lock)->compare_exchange_strong(free, self.tid | InReaders(kReadersClosed),
                                             std::memory_order_acquire,
                                             std::memory_order_relaxed);
  }
  static bool Take(void* lock, Self self, const TimeLimit* limit) {
    return __builtin_expect(Try(lock, self), 1) || TakeExclusive(At(lock), self.tid, limit);
  }
  static void Release(void* lock) { ReleaseExclusive(At(lock)); }
  static bool TryFree(void* lock, uint32_t tid) { return Try(lock, {tid}); }
};

struct OwnUpgrade : OwnSharedWord {
  static constexpr Mode mode = Mode::kUpgrade;
  static bool LooksTaken(const void* lock) { return SeatOf(Look(lock)) != kLockFree; }
  static bool MayBeOwn(const void* lock) { return Look(lock) != 0; }
  static bool MayRelease(const void* lock, Self self) {
    const uint64_t seen = Look(lock);
    return self.Is(SeatOf(seen)) && !IsClosed(seen);
  }
  static bool Try(void* lock, Self self) { return TryUpgrade(At(lock), self.tid); }
  static bool Take(void* lock, Self self, const TimeLimit* limit) {
    return TakeUpgrade(At(lock), self.tid, limit);
  }
  static void Release(void* lock) { ReleaseUpgrade(At(lock)); }
  static bool TryFree(void* lock, uint32_t tid) { return Try(lock, {tid}); }
};

// From upgradeable to exclusive, as an acquire of its own.
struct OwnRaise : OwnSharedWord {
  static constexpr Mode mode = Mode::kExclusive;
  static bool LooksTaken(const void* lock) { return ReadersOf(Look(lock)) != 0; }
};

}  // namespace lockwarden::ledger
