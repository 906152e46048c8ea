// What the verdicts are worth, counted: random lock programs, each explored completely, so that
// what can happen in it is known; then played against the real recorder and the real judges.
//
//   live       at every state that some interleaving reaches, the detector is asked: whom it
//              calls deadlocked never runs again; a cycle of owners is found in every such
//              state, and whatever else is stuck once nobody can move any more
//   predicted  one schedule that ends well, then the lock-order verdict: which programs that
//              can deadlock it names, and whether what it names can happen
//
// LOCKWARDEN_EXPLORE=N explores N programs (300 otherwise). The table is printed.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <set>

#include "tests/explorer/lock_program.h"
#include "tests/explorer/replay.h"
#include "tests/explorer/state_space.h"

namespace lockwarden::explorer {
namespace {

constexpr uint32_t kSeed = 20240607;
constexpr size_t kMaxStates = 3000;

size_t ProgramCount() {
  const char* wanted = std::getenv("LOCKWARDEN_EXPLORE");
  return wanted == nullptr ? 300 : static_cast<size_t>(std::atoi(wanted));
}

// What was counted, in the order in which it is to be read: each name begins with a letter
// that says its place.
using Counts = std::map<std::string, size_t>;
void Print(const Counts& counts) {
  for (const auto& [what, n] : counts) std::printf("%8zu %s\n", n, what.c_str() + 2);
}

// Programs small enough to be explored completely, always the same ones.
template <class Visit>
void ForEachProgram(Visit visit) {
  std::mt19937 random(kSeed);
  for (size_t n = 0; n < ProgramCount();) {
    const LockProgram program = RandomProgram(random);
    const StateSpace space(program, kMaxStates);
    if (!space.complete) continue;
    SCOPED_TRACE("program " + std::to_string(n) + "\n  " + ToText(program));
    visit(program, space, random);
    if (testing::Test::HasFailure()) return;  // one is enough to look at
    ++n;
  }
}

// Depth first: every state is reached by one schedule, played from the start where the one
// before cannot go on.
template <class Visit>
void VisitEveryState(const LockProgram& program, const StateSpace& space, Visit visit) {
  std::vector<bool> seen(space.states.size(), false);
  std::vector<StateSpace::Edge> path;
  const auto play_all = [&] {
    auto replay = std::make_unique<Replay>(program, space);
    for (const StateSpace::Edge& edge : path) replay->Play(edge);
    return replay;
  };
  std::unique_ptr<Replay> replay = play_all();
  const auto walk = [&](const auto& again, uint32_t state) -> void {
    seen[state] = true;
    visit(*replay, state);
    for (const StateSpace::Edge& edge : space.edges[state]) {
      if (seen[edge.to] || testing::Test::HasFailure()) continue;
      if (replay->state() != state) {
        replay.reset();  // one at a time
        replay = play_all();
      }
      replay->Play(edge);
      path.push_back(edge);
      again(again, edge.to);
      path.pop_back();
    }
  };
  walk(walk, 0);
}

TEST(ExplorerTest, EveryLiveDeadlockIsFoundAndNothingElse) {
  Counts count;
  ForEachProgram([&](const LockProgram& program, const StateSpace& space, std::mt19937&) {
    ++count["a programs"];
    count["b programs that can deadlock"] += space.can_deadlock();
    VisitEveryState(program, space, [&](Replay& replay, uint32_t state) {
      ++count["c states that some interleaving reaches"];
      const uint8_t stuck = space.stuck[state];
      const uint8_t by_owners = space.StuckByOwners(state);
      const bool over = space.edges[state].empty();
      const Said said = replay.Ask();
      EXPECT_EQ((said.deadlocked | said.behind) & ~stuck, 0) << "a false alarm, state " << state;
      if (stuck == 0) return;
      ++count["d states in which some thread is stuck for ever"];
      count["e ... in a cycle of owners"] += by_owners != 0;
      count["f ... where nobody can move any more"] += over;
      count["g ... that are told as deadlock"] += said.any();
      if (by_owners != 0 || over) {
        EXPECT_TRUE(said.any()) << "a deadlock is missed, state " << state;
      }
    });
  });
  Print(count);
  EXPECT_GT(count["e ... in a cycle of owners"], 10u);
  EXPECT_GT(count["f ... where nobody can move any more"], 10u);
}

using Steps = std::set<std::pair<size_t, size_t>>;  // {thread, pc}

// One schedule that ends well, at random; the steps that it took without giving up.
Steps PlayToTheEnd(const StateSpace& space, Replay* replay, std::mt19937& random) {
  Steps taken;
  while (!space.edges[replay->state()].empty()) {
    std::vector<StateSpace::Edge> good;
    for (const StateSpace::Edge& edge : space.edges[replay->state()]) {
      if (space.may_end_well[edge.to]) good.push_back(edge);
    }
    const StateSpace::Edge edge = good[random() % good.size()];
    if (edge.move.action == Action::kSucceed) {
      taken.insert({edge.move.thread, space.states[replay->state()].pc[edge.move.thread]});
    }
    replay->Play(edge);
  }
  return taken;
}

bool CanHappen(const LockProgram& program, const StateSpace& space, const Prediction& prediction) {
  for (size_t s = 0; s < space.states.size(); ++s) {
    const State& state = space.states[s];
    // A unit has no holder: its semaphore has none left, and the thread waits for ever.
    const auto holds = [&](uint8_t thread, uint8_t object) {
      if (program.objects[object].kind != Kind::kSemaphore) return state.Holds(thread, object);
      return state.units[object] == 0 && (space.stuck[s] >> thread & 1) != 0;
    };
    bool so = true;
    for (const Prediction::Edge& edge : prediction.cycle) {
      so = so && state.status[edge.thread] == Status::kWaiting;
      if (!so) break;
      const Step& step = space.StepOf(state, edge.thread);
      const bool asks = edge.to >= kObjects
                            ? step.op == Op::kJoin && step.object == edge.to - kObjects
                            : step.op < Op::kUnlock && step.object == edge.to;
      so = asks && (edge.from >= kObjects || holds(edge.thread, edge.from)) &&
           !space.Available(state, edge.thread);
    }
    if (so) return true;
  }
  return false;
}

// "T0 A->B T1 B->A", threads as ends by their numbers.
std::string ToText(const Prediction& prediction) {
  const auto name = [](uint8_t end) {
    return end < kObjects ? std::string(1, static_cast<char>('A' + end))
                          : "T" + std::to_string(end - kObjects);
  };
  std::string text;
  for (const Prediction::Edge& edge : prediction.cycle) {
    text += "T" + std::to_string(edge.thread) + " " + name(edge.from) + "->" + name(edge.to) + " ";
  }
  return text;
}

// A semaphore looks like a lock, and like a gate, while those posts are not made.
bool LeftOutAPost(const LockProgram& program, const Steps& taken) {
  for (size_t thread = 0; thread < program.threads.size(); ++thread) {
    for (size_t pc = 0; pc < program.threads[thread].size(); ++pc) {
      if (program.threads[thread][pc].op == Op::kPost && !taken.contains({thread, pc})) return true;
    }
  }
  return false;
}

// Why an alarm is false: what is not looked at would have kept the threads apart.
std::string WhyFalse(const LockProgram& program, const Steps& taken, const Prediction& prediction) {
  constexpr size_t kRelaxedStates = 200'000;
  // Where a thread is joined in the cycle itself, joins have to block.
  const bool joins = std::any_of(prediction.cycle.begin(), prediction.cycle.end(),
                                 [](const Prediction::Edge& edge) { return edge.to >= kObjects; });
  if (!joins) {
    const StateSpace unordered(program, kRelaxedStates, {.create_and_join = true});
    if (unordered.complete && CanHappen(program, unordered, prediction))
      return "1 kept apart by create or join";
  }
  const StateSpace free(program, kRelaxedStates, {.create_and_join = !joins, .semaphores = true});
  if (!free.complete) return "3 not looked at: too many states";
  if (CanHappen(program, free, prediction)) return "2 kept apart by a semaphore";
  if (LeftOutAPost(program, taken)) return "4 let go by a post that this schedule left out";
  const StateSpace failing(program, kRelaxedStates,
                           {.create_and_join = !joins, .semaphores = true, .tries = true});
  if (!failing.complete) return "3 not looked at: too many states";
  return CanHappen(program, failing, prediction) ? "5 kept apart by a try that has to fail"
                                                 : "0 not explained";
}

// Why one deadlocked state is beyond what a schedule shows; "not explained" if it is not.
std::string WhyMissed(const LockProgram& program, const StateSpace& space, uint32_t s,
                      const Steps& taken, const std::vector<Prediction>& predictions) {
  const State& state = space.states[s];
  const uint8_t stuck = space.StuckByOwners(s);
  if (stuck == 0) return "4 a wait for a semaphore";
  // Round the cycle, from any thread in it.
  size_t thread = 0;
  while ((stuck >> thread & 1) == 0) ++thread;
  std::vector<size_t> path;
  bool joins = false, gives_way = false;
  while (std::find(path.begin(), path.end(), thread) == path.end()) {
    path.push_back(thread);
    bool any;
    uint8_t next = space.Blockers(state, thread, &any) & stuck;
    thread = 0;
    while ((next >> thread & 1) == 0) ++thread;
  }
  path.erase(path.begin(), std::find(path.begin(), path.end(), thread));
  bool not_taken = false;
  std::set<size_t> objects;
  for (const size_t member : path) {
    const Step& step = space.StepOf(state, member);
    joins |= step.op == Op::kJoin;
    bool any;
    space.Blockers(state, member, &any);
    gives_way |= any;
    not_taken |= !taken.contains({member, state.pc[member]});
    if (step.op != Op::kJoin) objects.insert(step.object);
  }
  if (gives_way) return "2 a reader that gives way to a writer";
  if (path.size() == 1) return "5 one thread alone, with a lock that it has";
  if (objects.size() == 1 && !joins) return "6 two readers that want to write";
  for (const Prediction& prediction : predictions) {
    std::set<size_t> predicted;
    for (const Prediction::Edge& edge : prediction.cycle) {
      if (edge.to < kObjects) predicted.insert(edge.to);
    }
    if (predicted == objects) return "7 the locks of a false prediction, which hides it";
  }
  if (not_taken || LeftOutAPost(program, taken)) return "1 a step that this schedule did not take";
  if (joins) return "3 a wait for the end of a thread";
  return "0 not explained";
}

TEST(ExplorerTest, WhatIsPredictedFromOneGoodScheduleIsCounted) {
  Counts count, missed, false_alarms;
  ForEachProgram([&](const LockProgram& program, const StateSpace& space, std::mt19937& random) {
    if (!space.may_end_well[0]) return;
    ++count["a programs with a schedule that ends well"];
    Replay replay(program, space);
    const Steps taken = PlayToTheEnd(space, &replay, random);
    const std::vector<Prediction> predictions = replay.Predict();
    bool predicted = false;
    for (const Prediction& prediction : predictions) {
      ++count["d predictions"];
      if (CanHappen(program, space, prediction)) {
        ++count["e ... that can happen exactly so"];
        predicted = true;
        continue;
      }
      const std::string why = WhyFalse(program, taken, prediction);
      ++false_alarms[why];
      EXPECT_NE(why[0], '0') << "a false alarm: " << ToText(prediction);
    }
    if (!space.can_deadlock()) return;
    ++count["b ... that can deadlock in another one"];
    if (predicted) {
      ++count["c ... of which a deadlock that can happen was predicted"];
      return;
    }
    std::string why = "9";
    for (uint32_t s = 0; s < space.states.size(); ++s) {
      if (space.stuck[s] != 0)
        why = std::min(why, WhyMissed(program, space, s, taken, predictions));
    }
    ++missed[why];
    EXPECT_NE(why[0], '0') << "a prediction is missed";
  });
  Print(count);
  std::printf("missed, since every way into a deadlock has\n");
  Print(missed);
  std::printf("false, since the threads are\n");
  Print(false_alarms);
  EXPECT_GT(count["c ... of which a deadlock that can happen was predicted"], 5u);
}

}  // namespace
}  // namespace lockwarden::explorer
