// The units of a Semaphore and who waits for one, in one 64-bit word: a release looks at both at
// once and does not touch it again. The protocol and the layout are those of glibc's sem_t.
//
//   U1 a unit is taken   CAS acquire   pairs with U2 of all before (a release sequence)
//   U2 units are given   CAS release   wakes as many as were given, if anybody waits
//   U3 a waiter is counted: relaxed; the kernel compares the units again before the sleep
//
// Pure but for the word. Must never: touch the word after U1, or after U2 but by its address.
#pragma once

#include <atomic>
#include <cstdint>

#include "runtime/own_lock.h"

namespace lockwarden::ledger {

using UnitWord = std::atomic<uint64_t>;
inline constexpr uint64_t kOneUnitWaiter = uint64_t{1} << 32;
constexpr uint32_t UnitsOf(uint64_t word) { return static_cast<uint32_t>(word); }

// False: the time is up.
bool TakeUnit(UnitWord* word, const TimeLimit* limit);
// False: it would have more than `bound`; none are given.
bool GiveUnits(UnitWord* word, uint32_t units, uint32_t bound);

struct OwnUnit {
  static constexpr Mode mode = Mode::kUnit;
  static UnitWord* At(void* semaphore) { return static_cast<UnitWord*>(semaphore); }
  static bool LooksTaken(const void* semaphore) {
    // Relaxed: a hint.
    return UnitsOf(static_cast<const UnitWord*>(semaphore)->load(std::memory_order_relaxed)) == 0;
  }
  static bool HeldBy(const void*, Self) { return false; }  // one may always ask for more
  static bool Try(void* semaphore, Self) {
    uint64_t seen = At(semaphore)->load(std::memory_order_relaxed);  // U1 synchronises
    while (UnitsOf(seen) != 0) {
      // U1; on failure only the word is read.
      if (At(semaphore)->compare_exchange_weak(seen, seen - 1, std::memory_order_acquire,
                                               std::memory_order_relaxed)) {
        return true;
      }
    }
    return false;
  }
  static bool Take(void* semaphore, Self self, const TimeLimit* limit) {
    return __builtin_expect(Try(semaphore, self), 1) || TakeUnit(At(semaphore), limit);
  }
};

}  // namespace lockwarden::ledger
