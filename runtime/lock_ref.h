// Names for what a thread holds or waits for: one 64-bit word that can be
// published with a single store, so that a reader never sees half of it.
//
// Written by: the recorder, into held lists, wait slots and order edges.
// Read by: every reader of the ledger, which must check the index and the
// generation against the lock table before it believes either.
// Must never: carry a pointer. A lock may be freed while its name is published.
#pragma once

#include <cstdint>

namespace lockwarden::ledger {

// What kind of object a thread can hold or wait for. Values are part of the
// ledger's layout: append, never renumber.
enum class LockKind : uint8_t {
  kNone = 0,
  kMutex = 1,       // pthread_mutex_t; its type is in LockFlag
  kRwLock = 2,      // pthread_rwlock_t
  kSpin = 3,        // pthread_spinlock_t
  kSemaphore = 4,   // sem_t
  kCondition = 5,   // pthread_cond_t: waited for, never held
  kBarrier = 6,     // pthread_barrier_t
  kOnce = 7,        // pthread_once_t, call_once
  kGuard = 8,       // C++ static initialisation guard
  kFileLock = 9,    // flock, fcntl
  kFutex = 10,      // a raw futex: a wait without a known owner
  kLock = 11,       // lockwarden::Lock; the word at its address is ours
  kRLock = 12,      // lockwarden::RLock
  kSharedLock = 13,
  kEvent = 14,
  kQueue = 15,
  kFuture = 16,
  kUser = 17,       // annotated by the program
};

// Attributes of a lock, or-ed into LockRecord::kind_and_flags above the kind.
enum LockFlag : uint32_t {
  kRecursive = 1u << 8,
  kErrorCheck = 1u << 9,
  kAdaptive = 1u << 10,
  kRobust = 1u << 11,
  kPriorityInherit = 1u << 12,
  kPriorityProtect = 1u << 13,
  kProcessShared = 1u << 14,
  kPreferWriter = 1u << 15,              // PTHREAD_RWLOCK_PREFER_WRITER_NP
  kPreferWriterNonrecursive = 1u << 16,  // PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP
  kInitSeen = 1u << 17,       // an init call was seen: address reuse is known
  kRecordDestroyed = 1u << 18,  // destroyed; the next use begins a new life
  kBehindPointer = 1u << 19,  // at its address stands a pointer to the object that is slept on
  kOneUnit = 1u << 20,        // a semaphore that was created with one unit: perhaps a lock
  kFolded = 1u << 24,  // stands for every lock of this kind that found the lock table full
};

// How a lock is held or waited for: the low 4 bits of a PackedRef.
enum class Mode : uint8_t {
  kNone = 0,
  kExclusive = 1,  // mutex, spin, writer
  kShared = 2,     // reader
  kUpgrade = 3,    // reader that may become the writer
  kUnit = 4,       // one unit of a semaphore; its holder is inferred
  kSignal = 5,     // waits on a condition (the mutex is in WaitSlot::peer)
  kJoin = 6,       // waits for a thread: index is its slot in the thread table
  kArrive = 7,     // waits at a barrier
  kUnowned = 8,    // a futex wait whose owner cannot be known
};
enum ModeBit : uint8_t {
  kModeMask = 0x0f,
  kTimed = 0x10,   // wait: has a time limit. held: was acquired with one
  kTry = 0x20,     // held: acquired by a try that could not have blocked
  kInherited = 0x40,  // held: by the parent's thread at fork, not by this process
};

// {index:32, generation:24, mode and mode bits:8}. 0 names nothing, since a
// mode is never 0 in a published reference. Order edges use mode 0 and are
// told from "nothing" by their slot being in use.
using PackedRef = uint64_t;

// A file lock has no address: its record's is this with the descriptor in the low half. No
// object of the program can lie there.
inline constexpr uint64_t kFileLockBase = 0xf11e'0000'0000'0000ull;

inline constexpr uint32_t kNoIndex = 0xffffffffu;  // e.g. join of an unknown thread
inline constexpr uint32_t kGenerationMask = 0x00ffffffu;

constexpr PackedRef Pack(uint32_t index, uint32_t generation, uint8_t mode) {
  return (uint64_t{index} << 32) | (uint64_t{generation & kGenerationMask} << 8) | mode;
}
constexpr uint32_t IndexOf(PackedRef ref) { return static_cast<uint32_t>(ref >> 32); }
constexpr uint32_t GenerationOf(PackedRef ref) {
  return static_cast<uint32_t>(ref >> 8) & kGenerationMask;
}
// A thread in an order edge: who joins it waits for all that it waits for (lock_order.h). No
// lock has an index in that half.
inline constexpr uint32_t kThreadIndex = 1u << 31;
constexpr PackedRef ThreadRef(uint32_t serial) { return Pack(kThreadIndex | serial, 0, 0); }
constexpr bool IsThreadIndex(uint32_t index) { return (index & kThreadIndex) != 0; }
constexpr uint32_t SerialIn(uint32_t index) { return index & ~kThreadIndex; }
constexpr Mode ModeOf(PackedRef ref) { return static_cast<Mode>(ref & kModeMask); }
constexpr uint8_t ModeBitsOf(PackedRef ref) { return static_cast<uint8_t>(ref); }
constexpr PackedRef WithoutMode(PackedRef ref) { return ref & ~uint64_t{0xff}; }
constexpr PackedRef WithMode(PackedRef ref, uint8_t mode) { return WithoutMode(ref) | mode; }

}  // namespace lockwarden::ledger
