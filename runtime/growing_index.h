// GrowingIndex: a lock-free, insert-only map from a 64-bit hash to record indexes,
// in a fixed region that is touched only as far as it is filled.
//
// Levels of 2^10, 2^12, 2^14, ... slots follow one another in the region. A key may
// lie in one window of 8 slots (a cache line) of each level; inserting takes the
// first empty slot in that order, so a small program touches a few pages and a
// large one grows without moving anything.
//
// Written by: any thread that inserts (one CAS). Read by: any thread.
// Must never: delete or move a slot. That is what makes "first empty slot" agreed
// among inserters: two threads that insert the same key race for the same slot, and
// the loser sees the winner's key.
//
// A slot is {tag:32 (hash bits, never 0), record index:32}; 0 is empty. A tag is only
// a hint: the caller compares the record's own key.
//
//   I1 slot CAS     release   pairs with I2: the record the slot names is whole
//   I2 slot load    acquire
#pragma once

#include <atomic>
#include <cstdint>

namespace lockwarden::ledger {

// splitmix64's finaliser (Steele, Lea, Flood: Fast Splittable Pseudorandom Number
// Generators, OOPSLA 2014): every input bit moves every output bit.
constexpr uint64_t MixHash(uint64_t x) {
  x ^= x >> 30;
  x *= 0xbf58476d1ce4e5b9ull;
  x ^= x >> 27;
  x *= 0x94d049bb133111ebull;
  return x ^ (x >> 31);
}

class GrowingIndex {
 public:
  static constexpr uint32_t kFirstLevel = 1024;
  static constexpr uint32_t kWindow = 8;

  GrowingIndex(std::atomic<uint64_t>* slots, uint32_t capacity)
      : slots_(slots), capacity_(capacity) {}

  // Slots that hold about `records` records without running out of windows.
  static constexpr uint32_t CapacityFor(uint32_t records) {
    uint32_t total = 0;
    for (uint32_t level = kFirstLevel; total < records + records / 2; level *= 4) total += level;
    return total;
  }

  // Calls matches(record index) on each candidate; returns the first index for
  // which it is true, or kNotFound.
  template <class Matches>
  uint32_t Find(uint64_t hash, Matches matches) const {
    uint32_t found = kNotFound;
    Walk(hash, [&](std::atomic<uint64_t>& slot) {
      const uint64_t value = slot.load(std::memory_order_acquire);  // I2
      if (value == 0) return true;  // the first empty slot ends the search
      if (Tag(value) != TagOf(hash) || !matches(Record(value))) return false;
      found = Record(value);
      return true;
    });
    return found;
  }

  // Publishes `record` under `hash`. Returns `record`, or the index of a record
  // that matches and was there first, or kFull.
  template <class Matches>
  uint32_t Insert(uint64_t hash, uint32_t record, Matches matches) const {
    const uint64_t mine = (uint64_t{TagOf(hash)} << 32) | record;
    uint32_t result = kFull;
    Walk(hash, [&](std::atomic<uint64_t>& slot) {
      uint64_t value = slot.load(std::memory_order_acquire);  // I2
      if (value == 0 &&
          slot.compare_exchange_strong(value, mine, std::memory_order_release,    // I1
                                       std::memory_order_acquire)) {              // I2
        result = record;
        return true;
      }
      if (Tag(value) != TagOf(hash) || !matches(Record(value))) return false;
      result = Record(value);
      return true;
    });
    return result;
  }

  static constexpr uint32_t kNotFound = 0xffffffffu;
  static constexpr uint32_t kFull = 0xfffffffeu;

 private:
  static uint32_t TagOf(uint64_t hash) { return static_cast<uint32_t>(hash >> 32) | 1u; }
  static uint32_t Tag(uint64_t value) { return static_cast<uint32_t>(value >> 32); }
  static uint32_t Record(uint64_t value) { return static_cast<uint32_t>(value); }

  template <class Visit>
  void Walk(uint64_t hash, Visit visit) const {
    uint32_t begin = 0;
    uint64_t h = hash;
    for (uint32_t level = kFirstLevel; begin + level <= capacity_; begin += level, level *= 4) {
      const uint32_t window = static_cast<uint32_t>(h & (level / kWindow - 1)) * kWindow;
      for (uint32_t i = 0; i < kWindow; ++i) {
        if (visit(slots_[begin + window + i])) return;
      }
      h = MixHash(h + level);  // a crowd in one level is spread in the next
    }
  }

  std::atomic<uint64_t>* slots_;
  uint32_t capacity_;
};

}  // namespace lockwarden::ledger
