// The word of our own locks, as the kernel's robust and priority-inheriting futexes have
// it: 0 is free, else the owner's tid, with the top bit set while others may be asleep.
// The reader knows the owner from it, as it does from a glibc mutex.
//
// Written by: lock.cc, rlock.cc. Read by: the judge, as a witness.
#pragma once

#include <cstdint>

namespace lockwarden::ledger {

inline constexpr uint32_t kLockFree = 0;
inline constexpr uint32_t kLockWaiters = 0x80000000u;  // FUTEX_WAITERS
inline constexpr uint32_t kLockTidMask = 0x3fffffffu;  // FUTEX_TID_MASK

}  // namespace lockwarden::ledger
