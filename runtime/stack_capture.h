// Stack capture: the id of the stack at a call, nearly always from a per-thread cache.
//
// The first time a thread comes by at (call site, stack pointer) it unwinds and interns
// the stack. Later it reuses the id if the return addresses at up to six remembered
// places on the stack are still the same: two callers through one wrapper share the
// site and the depth, but not those. The key includes the module generation, which
// moves when a library is unloaded.
//
// Written by: the owning thread (cache), any thread (interned stacks).
// Must never: allocate, lock, or read outside the thread's stack.
#pragma once

#include <cstdint>

#include "runtime/gate.h"
#include "runtime/settings.h"

namespace lockwarden::ledger {

// The entries that a stack at this place may lie in: a set, and another for what finds no room
// there. Where every place had one set only, a cache half full would forget stacks already.
inline uint32_t StackCacheHash(uint64_t site, uint64_t cfa) {
  return static_cast<uint32_t>(site ^ (cfa << 16)) * 0x9e3779b1u;
}
inline StackCacheEntry* StackCacheSet(ThreadRecord* record, uint64_t site, uint64_t cfa) {
  static_assert(kStackCacheSets == 64, "the shift takes the top 6 of 32 bits");
  return record->stack_cache[StackCacheHash(site, cfa) >> 26];
}
inline StackCacheEntry* OtherStackCacheSet(ThreadRecord* record, uint64_t site, uint64_t cfa) {
  const uint32_t hash = StackCacheHash(site, cfa);
  return record->stack_cache[(hash >> 26) ^ ((hash >> 20) % kStackCacheSets | 1)];
}

// The id for LedgerReader::Stack, or 0 (counted in stack_failures or as a drop).
uint32_t CaptureStackSlow(ThreadRecord* record, uint64_t site, uint64_t cfa,
                          uint32_t module_generation);

// The remembered stack is the one that ends in this call now.
__attribute__((always_inline)) inline bool IsThisStack(const StackCacheEntry& entry, uint64_t site,
                                                       uint64_t cfa, uint32_t generation) {
  if (entry.site != site || entry.stack_pointer != cfa || entry.module_generation != generation) {
    return false;
  }
  const uint64_t* words = reinterpret_cast<const uint64_t*>(cfa);
  uint32_t difference = 0;
#pragma GCC unroll 8
  for (uint32_t i = 0; i < StackCacheEntry::kSlots; ++i) {
    difference |= static_cast<uint32_t>(words[entry.slot_offset[i]]) ^ entry.slot_value[i];
  }
  return difference == 0;
}
// What the thread's cache knows of this stack; null: nothing. Without a call, so that a hook
// needs no registers that must be saved first; several callers through one wrapper, which
// differ in no key, are common.
__attribute__((always_inline)) inline const StackCacheEntry* LookUpStack(ThreadRecord* record,
                                                                         uint64_t site,
                                                                         uint64_t cfa,
                                                                         uint32_t generation) {
  const StackCacheEntry* const set = StackCacheSet(record, site, cfa);
  if (__builtin_expect(IsThisStack(*set, site, cfa, generation), 1)) return set;
#pragma GCC unroll 1
  for (uint32_t way = 1; way < kStackCacheWays; ++way) {
    if (IsThisStack(set[way], site, cfa, generation)) return &set[way];
  }
  return nullptr;
}

// The same in the other set.
const StackCacheEntry* LookUpStackFurther(ThreadRecord* record, uint64_t site, uint64_t cfa,
                                          uint32_t generation);

inline uint32_t ModuleGeneration() {
  // Relaxed: a stale generation costs one stack with a name of an unloaded library.
  return reinterpret_cast<const Header*>(this_thread.epoch)
      ->module_generation.load(std::memory_order_relaxed);  // as above
}

__attribute__((always_inline)) inline uint32_t CaptureStack(ThreadRecord* record, uint64_t site,
                                                            uint64_t cfa) {
  const uint32_t generation = ModuleGeneration();
  const StackCacheEntry* known = LookUpStack(record, site, cfa, generation);
  return __builtin_expect(known != nullptr, 1)
             ? known->stack
             : CaptureStackSlow(record, site, cfa, generation);
}

// A stack of one call; 0 when the tables are full.
uint32_t InternSite(uint64_t site);

// What stacks= asks for: 0 unless it is "full"; call sites are recorded beside it.
inline uint32_t CaptureIfWanted(ThreadRecord* record, uint64_t site, uint64_t cfa) {
  return TheSettings().stacks == StackMode::kFull ? CaptureStack(record, site, cfa) : 0;
}

// For what has no place for a site beside the stack: with "site" a stack of the site alone,
// with "off" 0. Takes a look-up.
uint32_t CaptureForRecord(ThreadRecord* record, uint64_t site, uint64_t cfa);

}  // namespace lockwarden::ledger
