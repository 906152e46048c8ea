// Lock identity: from the address of a lock to {index, generation}, the name of one
// life of one lock, nearly always through the per-thread cache.
//
// Written by: any thread. Read by: the hooks. Must never: allocate, block, or follow
// the lock's own memory except to describe a lock that the caller is just using.
#pragma once

#include <cstdint>

#include "runtime/gate.h"

namespace lockwarden::ledger {

// Says what a lock is when it is first seen: LockKind | LockFlag.
using DescribeLock = uint32_t (*)(const void* lock);

struct LockUse {
  PackedRef ref = 0;               // without mode; 0: the lock table is full
  uint32_t kind_and_flags = 0;
  LockCacheEntry* cached = nullptr;  // counts acquisitions; null when ref is 0
};

// An acquisition, where the thread knows the lock. The mode is known to the compiler.
template <Mode kMode>
__attribute__((always_inline)) inline void CountFor(LockCacheEntry* cached) {
  // Relaxed, all: own cache entry.
  if constexpr (kMode == Mode::kShared) {
    cached->shared.store(cached->shared.load(std::memory_order_relaxed) + 1,  // as above
                         std::memory_order_relaxed);
  } else {
    cached->exclusive.store(cached->exclusive.load(std::memory_order_relaxed) + 1,  // as above
                            std::memory_order_relaxed);  // as above
  }
}

LockUse IdentifyLockSlow(ThreadRecord* record, const void* lock, DescribeLock describe,
                         uint64_t site, uint64_t cfa);

// Where the thread's cache would know this lock.
__attribute__((always_inline)) inline LockCacheEntry& LockCachePlace(ThreadRecord* record,
                                                                     uint64_t address) {
  return record->lock_cache[LockCacheIndex(address)];
}

// What the thread's cache knows of the lock; ref 0: nothing.
__attribute__((always_inline)) inline LockUse LookUpLock(ThreadRecord* record, const void* lock) {
  const uint64_t address = reinterpret_cast<uint64_t>(lock);
  LockCacheEntry& entry = LockCachePlace(record, address);
  // Relaxed: own cache entry; only this thread writes it.
  if (__builtin_expect(entry.address.load(std::memory_order_relaxed) == address, 1)) {
    const PackedRef ref = entry.lock.load(std::memory_order_relaxed);  // as above
    const LockRecord& lock_record = this_thread.locks[IndexOf(ref)];
    // Acquire: pairs with L1 in lock_identity.cc. A life that has ended has another
    // generation, whoever ended it.
    if (__builtin_expect(lock_record.generation.load(std::memory_order_acquire) ==
                             GenerationOf(ref), 1)) {
      // Relaxed: written when the life began, before the generation just seen.
      return {ref, lock_record.kind_and_flags.load(std::memory_order_relaxed), &entry};
    }
  }
  return {};
}

// A lock that some thread has learned, and this one has not, or has forgotten for want of
// room: as LookUpLock, from the shared index. Begins no life.
LockUse RelearnLock(ThreadRecord* record, const void* lock, DescribeLock describe);

__attribute__((always_inline)) inline LockUse IdentifyLock(ThreadRecord* record, const void* lock,
                                                           DescribeLock describe, uint64_t site,
                                                           uint64_t cfa) {
  const LockUse known = LookUpLock(record, lock);
  if (__builtin_expect(known.cached != nullptr, 1)) return known;
  return IdentifyLockSlow(record, lock, describe, site, cfa);
}

// An init call was seen: a new life begins here, created at `site`.
void BeginLockLife(ThreadRecord* record, const void* lock, uint32_t kind_and_flags, uint64_t site,
                   uint64_t cfa);
// The present life at this address, without beginning one; 0 when there is none.
PackedRef FindLock(const void* lock);
// A destroy call has succeeded: ends the life that FindLock named before the call, unless
// another one has begun there since (the memory may already be somebody else's).
void EndLockLife(PackedRef life);

}  // namespace lockwarden::ledger
