// OrderEdge: "a thread acquired `to` while it held `from`", with witnesses.
//
// The edge is inserted once per (from, to) pair of lock lives, before the
// acquisition can block, so an inversion that hangs at its first occurrence is
// still in the graph. A witness says who, how, where, and behind which gates;
// up to four are kept so that a prediction can be checked for feasibility:
// distinct threads, no common gate lock, not ordered by create and join,
// conflicting modes, no bounded wait.
//
// A thread that comes by again in the same way, at a later time of its clock
// (thread_life.h), leaves a second witness; from the third time on the second
// one's `last_clock` moves. So what a program does before its threads run, while
// they run and after they have been joined is told apart.
//
// A thread is an end of edges in a table of their own: "while it runs" is what it holds, as long
// as it lives, and "joins it" is how others ask for that. So a thread that is joined under a lock
// that it takes itself makes a cycle like any other.
//
// Written by: application threads, through the growing index (insert only).
// Read by: the reader. Must never: be removed or change its key.
#pragma once

#include <atomic>
#include <cstdint>

#include "runtime/lock_ref.h"

namespace lockwarden::ledger {

inline constexpr uint32_t kWitnessesPerEdge = 4;
inline constexpr uint32_t kGatesPerWitness = 6;

// Moved by one thread, copied by any.
class MovingClock {
 public:
  MovingClock(uint32_t clock = 0) : clock_(clock) {}  // NOLINT: it is a number
  MovingClock(const MovingClock& other) : clock_(other.Get()) {}
  MovingClock& operator=(const MovingClock& other) { return Set(other.Get()), *this; }
  // Relaxed, both: stands alone; any value that it had is one at which the thread came by.
  uint32_t Get() const { return clock_.load(std::memory_order_relaxed); }
  void Set(uint32_t clock) { clock_.store(clock, std::memory_order_relaxed); }  // as above

 private:
  std::atomic<uint32_t> clock_;
};

struct OrderWitness {
  uint32_t thread_serial = 0;
  uint8_t from_mode = 0;  // Mode and ModeBits
  uint8_t to_mode = 0;    // kTry / kTimed: this acquisition could not block for ever
  uint8_t gate_count = 0;
  uint8_t gates_dropped = 0;  // more locks were held than fit: saturates
  uint32_t from_stack = 0;
  uint32_t to_stack = 0;
  uint64_t from_site = 0;
  uint64_t to_site = 0;
  uint32_t first_clock = 0;  // the thread's create/join clock at that time
  MovingClock last_clock;    // and the last time that it came by
  PackedRef gates[kGatesPerWitness] = {};  // other locks held, with their modes
};
static_assert(sizeof(OrderWitness) == 88);

struct alignas(64) OrderEdge {
  std::atomic<PackedRef> from{0};  // without mode; both ends are written before the
  std::atomic<PackedRef> to{0};    // edge can be found in the index or counted in `used`
  std::atomic<uint32_t> witness_count{0};  // claimed by fetch_add; may pass kWitnessesPerEdge
  std::atomic<uint32_t> ready{0};          // 1 once the fields above are whole (release)
  // index + 1 into the witness table; stored (release) after the witness is whole
  std::atomic<uint32_t> witness[kWitnessesPerEdge]{};
  // What tells witnesses apart (thread, modes, gates), so that a thread that passes by again
  // finds its own. A hint: the thread is looked at, too.
  std::atomic<uint32_t> signature[kWitnessesPerEdge]{};
  std::atomic<uint64_t> first_ns{0};  // CLOCK_MONOTONIC
};
static_assert(sizeof(OrderEdge) == 64);

}  // namespace lockwarden::ledger
