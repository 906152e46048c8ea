// The words of our own locks. The owner stands there as in the kernel's robust and
// priority-inheriting futexes: 0 is free, else the owner's tid, with the top bit set while others
// may be asleep. The reader knows the owner from it, as it does from a glibc mutex.
//
// Lock, RLock: that word alone. SharedLock: two, in one 64-bit word (see shared_word.h): the seat,
// which is such a word for whoever writes, wants to write, or may upgrade; and, at 4, the readers.
//
// Written by: futex_lock.h, shared_word.cc. Read by: the judge, as a witness.
#pragma once

#include <cstdint>

namespace lockwarden::ledger {

inline constexpr uint32_t kLockFree = 0;
inline constexpr uint32_t kLockWaiters = 0x80000000u;  // FUTEX_WAITERS
inline constexpr uint32_t kLockTidMask = 0x3fffffffu;  // FUTEX_TID_MASK

inline constexpr uint32_t kReadersClosed = 0x80000000u;  // no new ones: a writer has the seat
inline constexpr uint32_t kReadersWait = 0x40000000u;    // some may be asleep until it opens
inline constexpr uint32_t kReadersMask = 0x0fffffffu;    // how many hold it

}  // namespace lockwarden::ledger
