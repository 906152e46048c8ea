// Lock order: "acquired while these were held", recorded before the acquire can block.
//
// A thread that acquires with locks held looks one hash (of everything it holds, of what
// it asks for, and of its create/join clock) up in its own cache; only a combination that it
// has not met yet goes to the shared graph, with a witness. One look-up however many locks are
// held.
//
// A thread "holds" its own life, for whoever joins it: what it takes while it holds nothing else
// is noted, too, but only where it takes a lock, or comes by a stack, for the first time (the
// general way), and so often. Not so main, which hardly anybody joins.
//
// Only for profile=test, which predicts; in production nobody would read it.
//
// Written by: the acquiring thread. Read by: the reader. Must never: search the graph
// (the reader does that), allocate, or block.
#pragma once

#include <cstdint>

#include "runtime/gate.h"
#include "runtime/settings.h"

namespace lockwarden::ledger {

struct OrderAcquisition {
  PackedRef lock = 0;  // with mode and mode bits
  uint64_t site = 0;
  uint64_t cfa = 0;
};

// Adds the edges from every lock that the thread holds in frames 0..frame, and from its life.
void RecordOrderSlow(ThreadRecord* record, uint32_t frame, OrderAcquisition acquisition,
                     uint64_t held_hash);
// Before a join. `serial` 0: its record is used again; it is looked for by `pthread_self`.
void RecordJoinOrder(ThreadRecord* record, uint32_t frame, uint32_t serial, uint64_t pthread_self,
                     uint8_t mode_bits, uint64_t site, uint64_t cfa);

// The end of both hashes: the lock asked for and the time.
__attribute__((always_inline)) inline uint64_t WithLockAndTime(const ThreadRecord* record,
                                                               uint64_t hash, PackedRef lock) {
  constexpr uint64_t kOdd = 0x9e3779b97f4a7c15ull;
  // An odd factor: two times differ in the low half already, where references of one generation
  // and mode do not.
  constexpr uint64_t kTime = 0xc2b2ae3d27d4eb4full;
  // Relaxed: own record.
  hash = (hash ^ lock ^ record->order_clock.load(std::memory_order_relaxed) * kTime) * kOdd;
  return hash ^ (hash >> 32);
}

// HeldHash of a thread that holds one lock or two, in its first frame, without a loop.
__attribute__((always_inline)) inline uint64_t HashOfOrder(const ThreadRecord* record,
                                                           uint32_t count, PackedRef lock) {
  constexpr uint64_t kOdd = 0x9e3779b97f4a7c15ull;
  uint64_t hash = record->held[0].lock.load(std::memory_order_relaxed) * kOdd;  // own record
  hash ^= hash >> 32;
  if (count == 2) {
    hash = (hash ^ record->held[1].lock.load(std::memory_order_relaxed)) * kOdd;  // own record
    hash ^= hash >> 32;
  }
  return WithLockAndTime(record, hash, lock);
}

// Hash of what the thread holds, with the lock asked for and the time; 0 when nothing is held.
__attribute__((always_inline)) inline uint64_t HeldHash(const ThreadRecord* record,
                                                        uint32_t frame, PackedRef lock) {
  constexpr uint64_t kOdd = 0x9e3779b97f4a7c15ull;
  uint64_t hash = 0;
  for (uint32_t f = 0; f <= frame; ++f) {
    // Relaxed: own record; only this thread writes it.
    const uint32_t count = record->FrameAt(f).held_count.load(std::memory_order_relaxed);
    const HeldEntry* held = &record->held[kHeldBegin[f]];
    for (uint32_t i = 0; i < count; ++i) {
      hash = (hash ^ held[i].lock.load(std::memory_order_relaxed)) * kOdd;  // as above
      hash ^= hash >> 32;
    }
  }
  if (hash == 0) return 0;
  return WithLockAndTime(record, hash, lock);
}

// Nothing is held, or the cache has this order already.
__attribute__((always_inline)) inline bool KnownOrder(const ThreadRecord* record, uint64_t hash) {
  return hash == 0 ||
         record->order_cache[hash % kOrderCacheSize] == static_cast<uint32_t>(hash >> 32);
}

inline constexpr uint32_t kUsesNoted = 256;  // of each thread
inline bool NotesUses(const ThreadRecord* record) {
  return record->creator_serial.load(std::memory_order_relaxed) != 0 &&  // written before it ran
         record->uses_noted < kUsesNoted;
}

// True the first time that the thread is about to take this lock, as far as its cache remembers.
inline bool IsFirstUse(ThreadRecord* record, PackedRef lock) {
  if (!TheSettings().order || !NotesUses(record)) return false;
  const uint64_t hash = WithLockAndTime(record, 2, WithoutMode(lock));
  if (KnownOrder(record, hash)) return false;
  record->order_cache[hash % kOrderCacheSize] = static_cast<uint32_t>(hash >> 32);
  return true;
}

__attribute__((always_inline)) inline void RecordOrder(ThreadRecord* record, uint32_t frame,
                                                       PackedRef lock, uint64_t site,
                                                       uint64_t cfa) {
  if (!TheSettings().order) return;
  uint64_t hash = HeldHash(record, frame, lock);
  if (hash == 0 && NotesUses(record)) hash = WithLockAndTime(record, 1, lock);
  if (!KnownOrder(record, hash)) RecordOrderSlow(record, frame, {lock, site, cfa}, hash);
}

}  // namespace lockwarden::ledger
