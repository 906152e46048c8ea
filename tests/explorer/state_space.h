// StateSpace: every state that any interleaving of a LockProgram reaches, and what is true in
// it: which threads are stuck there for ever.
//
// Nothing of Lockwarden is looked at here: this is what its verdicts are compared with.
// Thread safety: none. A space refers to its program. Must never: leave a state out silently.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "tests/explorer/lock_program.h"

namespace lockwarden::explorer {

enum class Status : uint8_t { kUnborn, kReady, kWaiting, kDone };

struct State {
  std::array<uint8_t, kThreads> pc{};
  std::array<Status, kThreads> status{};
  std::array<uint8_t, kObjects> owner{};    // thread + 1; 0: none
  std::array<uint8_t, kObjects> readers{};  // two bits a thread: how often it reads
  std::array<uint8_t, kObjects> units{};
  friend auto operator<=>(const State&, const State&) = default;

  uint8_t Reads(size_t thread, size_t object) const { return readers[object] >> 2 * thread & 3; }
  bool Holds(size_t thread, size_t object) const {
    return owner[object] == thread + 1 || Reads(thread, object) != 0;
  }
};

// What one thread does: the step it is at succeeds, begins to wait, or fails.
enum class Action : uint8_t { kSucceed, kBlock, kGiveUp };
struct Move {
  uint8_t thread = 0;
  Action action = Action::kSucceed;
};

// Which steps never block, or may give up at any time: to ask whether they are what keeps threads
// apart.
struct Relaxed {
  bool create_and_join = false, semaphores = false, tries = false;
};

class StateSpace {
 public:
  struct Edge {
    Move move;
    uint32_t to = 0;
  };
  // Explores everything; `complete` is false if there are more than `limit` states.
  StateSpace(const LockProgram& program, size_t limit, Relaxed relaxed = {});

  bool complete = true;
  std::vector<State> states;  // the first is where it begins
  std::vector<std::vector<Edge>> edges;
  std::vector<uint8_t> stuck;      // bits: threads that wait and never go on
  std::vector<bool> may_end_well;  // every thread can still come to its end
  bool can_deadlock() const;

  // Who really keeps `thread` from going on, as bits; of a reader that gives way to writers,
  // all of them (`any`: one that goes on is enough). 0 if it waits for a semaphore.
  uint8_t Blockers(const State& state, size_t thread, bool* any) const;
  // The stuck threads that are so by owners alone: a naive reduction.
  uint8_t StuckByOwners(uint32_t state) const;
  const Step& StepOf(const State& state, size_t thread) const {
    return program_.threads[thread][state.pc[thread]];
  }
  bool Available(const State& state, size_t thread) const;

 private:
  std::vector<Move> MovesFrom(const State& state) const;
  State After(State state, Move move) const;
  void Settle(State* state, size_t thread) const;

  const LockProgram& program_;
  const Relaxed relaxed_;
};

}  // namespace lockwarden::explorer
