// The ledger's smaller tables: modules, heartbeats, misuse findings, and how
// stacks and names lie in their arenas.
//
// Written by: threads of the process; a record is whole once `ready` is 1.
// Read by: any reader, which checks each offset, count and string.
#pragma once

#include <atomic>
#include <cstdint>

#include "runtime/lock_ref.h"

namespace lockwarden::ledger {

// An interned stack lies in the stack arena (an array of 64-bit words) at
// word `id`: {hash:32, in a handler:1, depth:31} then `depth` pcs, innermost first. The first
// is the return address into the caller of the hooked function; all are return
// addresses, so a symboliser looks up pc - 1. Id 0 means no stack.
//
// A stack in a signal handler ends at the handler's trampoline, its last pc: what was
// interrupted is another each time and says nothing about the handler.
inline constexpr uint32_t kMaxStackDepth = 64;
inline constexpr uint32_t kStackInHandler = 1u << 31;

// A name lies in the name arena at byte offset `id`, NUL-terminated. Id 0: none.
inline constexpr uint32_t kMaxNameLength = 4096;

struct ModuleRecord {
  std::atomic<uint64_t> base{0};   // load bias: runtime address = base + file's virtual address
  std::atomic<uint64_t> begin{0};  // lowest and one past highest mapped address
  std::atomic<uint64_t> end{0};
  std::atomic<uint32_t> path{0};  // name offset
  std::atomic<uint32_t> build_id_size{0};
  uint8_t build_id[32] = {};
  std::atomic<uint64_t> loaded_ns{0};
  std::atomic<uint64_t> unloaded_ns{0};  // 0: still loaded
  std::atomic<uint64_t> ready{0};
};
static_assert(sizeof(ModuleRecord) == 88);

// Life of a slot: kFree -> kStarting (claimed by CAS) -> kBeating <-> kPaused, kIdle -> kFree.
enum class HeartbeatState : uint32_t { kFree = 0, kStarting = 1, kBeating = 2, kPaused = 3,
                                       kIdle = 4 };
inline constexpr uint32_t kLastHeartbeatState = static_cast<uint32_t>(HeartbeatState::kIdle);
// The state and, above it, how often the slot has been claimed: a reader that finds the same
// word before and after has read one heartbeat's fields.
inline constexpr uint32_t kHeartbeatUse = 1u << 8;
constexpr HeartbeatState HeartbeatStateOf(uint32_t word) {
  return static_cast<HeartbeatState>(word & (kHeartbeatUse - 1));
}
constexpr uint32_t InHeartbeatState(uint32_t word, HeartbeatState state) {
  return (word & ~(kHeartbeatUse - 1)) | static_cast<uint32_t>(state);
}

// Written by the thread that beats, one at a time. See runtime/heartbeat.h.
struct HeartbeatRecord {
  std::atomic<uint64_t> last_ns{0};       // CLOCK_MONOTONIC_COARSE of the last beat
  std::atomic<uint64_t> deadline_ns{0};   // interval within which it must beat again
  std::atomic<uint32_t> name{0};
  std::atomic<uint32_t> thread_serial{0};  // who beat last; 0: not known
  std::atomic<uint32_t> state{0};         // HeartbeatStateOf, InHeartbeatState
  std::atomic<uint32_t> essential{0};
  std::atomic<uint64_t> beats{0};
  std::atomic<uint64_t> late{0};          // beats that came after their deadline
};
static_assert(sizeof(HeartbeatRecord) == 48);

enum class MisuseKind : uint32_t {
  kNone = 0,
  kUnlockNotOwner = 1,     // a thread released a mutex that another one holds
  kDestroyHeld = 2,        // destroyed while a thread holds it
  kRelock = 3,             // a thread relocks a lock that is not recursive
  kExitHolding = 4,        // a thread ended and still holds it
  kTwoMutexes = 5,         // waits on one condition with different mutexes
  kForkWhileHeld = 6,      // forked while another thread held it
  kOrderViolation = 7,     // against a declared order, ranks or ids; see OrderRule
  kInheritedHeld = 8,      // a forked child waits for a lock its parent's thread held
  // Evidence for a finding of its own kind, once code outside handlers takes it as well:
  kTakenInHandler = 9,     // acquired in a signal handler by a call that could block
  kOverrun = 10,           // more units released than a semaphore may have
};
inline constexpr uint32_t kLastMisuseKind = static_cast<uint32_t>(MisuseKind::kOverrun);

// What an acquisition went against: the mode byte of a kOrderViolation's `lock`.
enum class OrderRule : uint8_t {
  kNone = 0,
  kDeclared = 1,  // order(A, B)
  kRank = 2,
  kId = 3,        // of equal ranks
  kSet = 4,       // acquire(): its lowest lock is not above all that is held
  kNoLocks = 5,   // NoLocksAllowed: `lock` is 0
};
inline constexpr uint8_t kLastOrderRule = static_cast<uint8_t>(OrderRule::kNoLocks);

struct MisuseRecord {
  std::atomic<uint32_t> kind{0};  // MisuseKind
  std::atomic<uint32_t> thread_serial{0};
  std::atomic<uint32_t> other_serial{0};  // e.g. the owner; 0: none
  std::atomic<uint32_t> stack{0};
  std::atomic<uint32_t> other_stack{0};
  std::atomic<uint32_t> count{0};         // how often: same kind, site and stack
  std::atomic<PackedRef> lock{0};         // kTwoMutexes: the condition. With the other's mode
  std::atomic<PackedRef> other_lock{0};   // kTwoMutexes: this thread's mutex. kOrderViolation:
                                          // what it holds, with its mode.
                                          // kTakenInHandler: the signals that were blocked
                                          // there, bit n-1 for signal n; 0: not known
  std::atomic<uint64_t> site{0};          // return address of the call that did it
  std::atomic<uint64_t> time_ns{0};
  std::atomic<uint64_t> ready{0};
};
static_assert(sizeof(MisuseRecord) == 64);

}  // namespace lockwarden::ledger
