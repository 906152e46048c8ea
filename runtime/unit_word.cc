// See unit_word.h for the protocol.
#include "runtime/unit_word.h"

namespace lockwarden::ledger {

bool TakeUnit(UnitWord* word, const TimeLimit* limit) {
  uint64_t seen = word->fetch_add(kOneUnitWaiter, std::memory_order_relaxed) + kOneUnitWaiter;  // U3
  for (bool in_time = true;;) {
    if (UnitsOf(seen) != 0) {
      // U1; on failure only the word is read.
      if (word->compare_exchange_weak(seen, seen - 1 - kOneUnitWaiter, std::memory_order_acquire,
                                      std::memory_order_relaxed)) {
        return true;
      }
      continue;
    }
    if (!in_time) {
      word->fetch_sub(kOneUnitWaiter, std::memory_order_relaxed);  // U3
      return false;
    }
    in_time = FutexWait(word, 0, limit);
    seen = word->load(std::memory_order_relaxed);  // U1 synchronises, not this look
  }
}

bool GiveUnits(UnitWord* word, uint32_t units, uint32_t bound) {
  uint64_t seen = word->load(std::memory_order_relaxed);  // only to compute from
  do {
    if (units > bound || UnitsOf(seen) > bound - units) return false;
    // U2; on failure only the word is read.
  } while (!word->compare_exchange_weak(seen, seen + units, std::memory_order_release,
                                        std::memory_order_relaxed));
  if (seen >= kOneUnitWaiter && units != 0) FutexWake(word, units);
  return true;
}

}  // namespace lockwarden::ledger
