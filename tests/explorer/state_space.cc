// A program never goes back, so its space has no cycle, and one pass from the ends says who can
// still move.
#include "tests/explorer/state_space.h"

#include <algorithm>
#include <map>
#include <numeric>

namespace lockwarden::explorer {

bool StateSpace::Available(const State& state, size_t thread) const {
  const Step& step = StepOf(state, thread);
  const size_t x = step.object;
  switch (step.op) {
    case Op::kLock:
      return state.owner[x] == 0;
    case Op::kWrite:
      return state.owner[x] == 0 && state.readers[x] == 0;
    case Op::kRead: {
      bool any;
      return state.owner[x] == 0 && Blockers(state, thread, &any) == 0;
    }
    case Op::kWait:
      return relaxed_.semaphores || state.units[x] != 0;
    case Op::kJoin:
      return relaxed_.create_and_join || state.status[x] == Status::kDone;
    default:
      return true;
  }
}

uint8_t StateSpace::Blockers(const State& state, size_t thread, bool* any) const {
  const Step& step = StepOf(state, thread);
  const size_t x = step.object;
  *any = false;
  uint8_t bits = 0;
  if (step.op == Op::kJoin) return static_cast<uint8_t>(1 << x);
  if (step.op == Op::kWait || step.op > Op::kWait) return 0;
  if (state.owner[x] != 0) return static_cast<uint8_t>(1 << (state.owner[x] - 1));
  for (size_t other = 0; other < program_.threads.size(); ++other) {
    if (step.op == Op::kWrite && state.Reads(other, x) != 0) bits |= 1 << other;
    // glibc: who reads gives way to a waiting writer if the lock says so and others read.
    if (step.op == Op::kRead && program_.objects[x].kind == Kind::kRwLockWriterFirst &&
        state.readers[x] != 0 && other != thread && state.status[other] == Status::kWaiting &&
        StepOf(state, other).op == Op::kWrite && StepOf(state, other).object == x) {
      bits |= 1 << other;
      *any = true;
    }
  }
  return bits;
}

std::vector<Move> StateSpace::MovesFrom(const State& state) const {
  std::vector<Move> moves;
  for (uint8_t thread = 0; thread < program_.threads.size(); ++thread) {
    const bool waiting = state.status[thread] == Status::kWaiting;
    if (!waiting && state.status[thread] != Status::kReady) continue;
    const Step& step = StepOf(state, thread);
    const bool available = Available(state, thread);
    if (available) moves.push_back({thread, Action::kSucceed});
    const bool gives_up = step.how == How::kTry     ? !available || relaxed_.tries
                          : step.how == How::kTimed ? waiting || relaxed_.tries
                                                    : false;
    if (gives_up) moves.push_back({thread, Action::kGiveUp});
    const bool blocks = !waiting && !available && step.how != How::kTry;
    if (blocks) moves.push_back({thread, Action::kBlock});
  }
  return moves;
}

void StateSpace::Settle(State* state, size_t thread) const {
  const bool over = state->pc[thread] == program_.threads[thread].size();
  state->status[thread] = over ? Status::kDone : Status::kReady;
}

State StateSpace::After(State state, Move move) const {
  const size_t thread = move.thread;
  const Step& step = StepOf(state, thread);
  const size_t x = step.object;
  if (move.action == Action::kBlock) {
    state.status[thread] = Status::kWaiting;
    return state;
  }
  if (move.action == Action::kGiveUp) {
    state.pc[thread] = step.otherwise;
    Settle(&state, thread);
    return state;
  }
  switch (step.op) {
    case Op::kLock:
    case Op::kWrite:
      state.owner[x] = static_cast<uint8_t>(thread + 1);
      break;
    case Op::kRead:
      state.readers[x] = static_cast<uint8_t>(state.readers[x] + (1 << 2 * thread));
      break;
    case Op::kWait:
      if (state.units[x] != 0) --state.units[x];
      break;
    case Op::kPost:
      ++state.units[x];
      break;
    case Op::kUnlock:
      if (state.owner[x] == thread + 1) {
        state.owner[x] = 0;
      } else {
        state.readers[x] = static_cast<uint8_t>(state.readers[x] - (1 << 2 * thread));
      }
      break;
    case Op::kCreate:
      if (state.status[x] == Status::kUnborn) Settle(&state, x);
      break;
    case Op::kJoin:
      break;
  }
  ++state.pc[thread];
  Settle(&state, thread);
  return state;
}

StateSpace::StateSpace(const LockProgram& program, size_t limit, Relaxed relaxed)
    : program_(program), relaxed_(relaxed) {
  State start;
  for (size_t i = 0; i < program.objects.size(); ++i) start.units[i] = program.objects[i].units;
  for (size_t thread = 0; thread < program.threads.size(); ++thread) {
    if (thread == 0 || relaxed.create_and_join) Settle(&start, thread);
  }
  std::map<State, uint32_t> known{{start, 0}};
  states.push_back(start);
  for (uint32_t at = 0; at < states.size() && complete; ++at) {
    edges.emplace_back();
    for (const Move move : MovesFrom(State(states[at]))) {
      const State next = After(states[at], move);
      const auto [found, fresh] = known.try_emplace(next, static_cast<uint32_t>(states.size()));
      if (fresh) states.push_back(next);
      edges[at].push_back({move, found->second});
    }
    complete = states.size() <= limit;
  }
  if (!complete) return;
  // Every move brings the sum of all progress forward: successors first.
  std::vector<uint32_t> order(states.size());
  std::iota(order.begin(), order.end(), 0);
  const auto progress = [&](uint32_t s) {
    uint32_t sum = 0;
    for (size_t thread = 0; thread < kThreads; ++thread) {
      sum += 2u * states[s].pc[thread] + (states[s].status[thread] == Status::kWaiting ? 1 : 0);
    }
    return sum;
  };
  std::sort(order.begin(), order.end(),
            [&](uint32_t a, uint32_t b) { return progress(a) > progress(b); });
  std::vector<uint8_t> moves(states.size(), 0);
  stuck.assign(states.size(), 0);
  may_end_well.assign(states.size(), false);
  for (const uint32_t s : order) {
    bool ended = true;
    for (size_t thread = 0; thread < program.threads.size(); ++thread) {
      ended &= states[s].status[thread] == Status::kDone;
    }
    may_end_well[s] = ended;
    for (const Edge& edge : edges[s]) {
      moves[s] |= static_cast<uint8_t>(1 << edge.move.thread) | moves[edge.to];
      if (may_end_well[edge.to]) may_end_well[s] = true;
    }
    for (size_t thread = 0; thread < program.threads.size(); ++thread) {
      if (states[s].status[thread] == Status::kWaiting && (moves[s] >> thread & 1) == 0) {
        stuck[s] |= static_cast<uint8_t>(1 << thread);
      }
    }
  }
}

bool StateSpace::can_deadlock() const {
  for (const uint8_t bits : stuck) {
    if (bits != 0) return true;
  }
  return false;
}

uint8_t StateSpace::StuckByOwners(uint32_t s) const {
  uint8_t left = stuck[s];
  for (bool changed = true; changed;) {
    changed = false;
    for (size_t thread = 0; thread < kThreads; ++thread) {
      if ((left >> thread & 1) == 0) continue;
      bool any;
      const uint8_t blockers = Blockers(states[s], thread, &any);
      const bool stays = any ? (blockers & ~left) == 0 : (blockers & left) != 0;
      if (stays) continue;
      left &= static_cast<uint8_t>(~(1 << thread));
      changed = true;
    }
  }
  return left;
}

}  // namespace lockwarden::explorer
