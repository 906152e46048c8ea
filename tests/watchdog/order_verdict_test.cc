// Which lock-order cycles could close: a table of those that could beside those that
// could not, and a naive twin.
#include "watchdog/order_verdict.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>

namespace lockwarden {
namespace {

using ledger::Mode;
using ledger::OrderWitness;

constexpr uint8_t kX = static_cast<uint8_t>(Mode::kExclusive);
constexpr uint8_t kS = static_cast<uint8_t>(Mode::kShared);

OrderWitness Seen(uint32_t thread, uint8_t from = kX, uint8_t to = kX,
                  std::vector<ledger::PackedRef> gates = {}) {
  OrderWitness witness;
  witness.thread_serial = thread;
  witness.from_mode = from;
  witness.to_mode = to;
  for (ledger::PackedRef gate : gates) witness.gates[witness.gate_count++] = gate;
  return witness;
}

EdgeInfo Edge(uint32_t from, uint32_t to, std::vector<OrderWitness> witnesses) {
  EdgeInfo edge;
  edge.from = {from, 1};
  edge.to = {to, 1};
  edge.witnesses = std::move(witnesses);
  return edge;
}

ledger::PackedRef Gate(uint32_t index, uint8_t mode = kX) { return ledger::Pack(index, 1, mode); }

OrderWitness At(OrderWitness witness, uint32_t first, uint32_t last) {
  witness.first_clock = first;
  witness.last_clock = last;
  return witness;
}

OrderVerdict VerdictOn(const std::vector<EdgeInfo>& cycle) { return JudgeCycle(cycle).verdict; }

TEST(OrderVerdictTest, TwoThreadsInOppositeOrderCouldDeadlock) {
  const auto result = JudgeCycle(std::vector{Edge(1, 2, {Seen(1)}), Edge(2, 1, {Seen(2)})});
  EXPECT_EQ(result.verdict, OrderVerdict::kPotential);
  ASSERT_EQ(result.chosen.size(), 2u);
  EXPECT_EQ(result.chosen[1].thread_serial, 2u);
  EXPECT_FALSE(result.uncertain);
}

TEST(OrderVerdictTest, OneThreadAloneCannot) {
  EXPECT_EQ(VerdictOn({Edge(1, 2, {Seen(1)}), Edge(2, 1, {Seen(1)})}), OrderVerdict::kOneThread);
}

TEST(OrderVerdictTest, ASecondWitnessCanSupplyTheOtherThread) {
  EXPECT_EQ(VerdictOn({Edge(1, 2, {Seen(1), Seen(3)}), Edge(2, 1, {Seen(1)})}),
            OrderVerdict::kPotential);
}

TEST(OrderVerdictTest, ATryOrATimeLimitCannotBlockForEver) {
  for (uint8_t bit : {uint8_t{ledger::kTry}, uint8_t{ledger::kTimed}}) {
    const auto inner = static_cast<uint8_t>(kX | bit);
    EXPECT_EQ(VerdictOn({Edge(1, 2, {Seen(1, kX, inner)}), Edge(2, 1, {Seen(2)})}),
              OrderVerdict::kBounded);
  }
}

TEST(OrderVerdictTest, WhatIsHeldMayHaveBeenTried) {
  const auto tried = static_cast<uint8_t>(kX | ledger::kTry);
  EXPECT_EQ(VerdictOn({Edge(1, 2, {Seen(1, tried)}), Edge(2, 1, {Seen(2)})}),
            OrderVerdict::kPotential);
}

TEST(OrderVerdictTest, TwoReadersDoNotBlockEachOther) {
  EXPECT_EQ(VerdictOn({Edge(1, 2, {Seen(1, kX, kS)}), Edge(2, 1, {Seen(2, kS, kX)})}),
            OrderVerdict::kSharedOnly);
  EXPECT_EQ(VerdictOn({Edge(1, 2, {Seen(1, kS, kX)}), Edge(2, 1, {Seen(2, kX, kS)})}),
            OrderVerdict::kSharedOnly) << "also round the end of the cycle";
}

TEST(OrderVerdictTest, AReaderAndAWriterDo) {
  EXPECT_EQ(VerdictOn({Edge(1, 2, {Seen(1, kS, kX)}), Edge(2, 1, {Seen(2, kS, kX)})}),
            OrderVerdict::kPotential);
}

TEST(OrderVerdictTest, AGateHeldByBothKeepsThemApart) {
  EXPECT_EQ(VerdictOn({Edge(1, 2, {Seen(1, kX, kX, {Gate(9)})}),
                       Edge(2, 1, {Seen(2, kX, kX, {Gate(9)})})}),
            OrderVerdict::kGuarded);
}

TEST(OrderVerdictTest, AGateThatBothOnlyReadDoesNot) {
  EXPECT_EQ(VerdictOn({Edge(1, 2, {Seen(1, kX, kX, {Gate(9, kS)})}),
                       Edge(2, 1, {Seen(2, kX, kX, {Gate(9, kS)})})}),
            OrderVerdict::kPotential);
}

TEST(OrderVerdictTest, AGateOfOneOnlyDoesNot) {
  EXPECT_EQ(VerdictOn({Edge(1, 2, {Seen(1, kX, kX, {Gate(9)})}), Edge(2, 1, {Seen(2)})}),
            OrderVerdict::kPotential);
}

TEST(OrderVerdictTest, ALockOfTheCycleCanBeTheGate) {
  // The first thread holds 3 as well: then the third cannot hold it at the same time.
  EXPECT_EQ(VerdictOn({Edge(1, 2, {Seen(1, kX, kX, {Gate(3)})}), Edge(2, 3, {Seen(2)}),
                       Edge(3, 1, {Seen(3)})}),
            OrderVerdict::kGuarded);
}

// Thread 1 creates 2 when its clock is 3 and joins it when it is 5; 2 creates 3; 4 is a stranger.
ThreadOrder Family() {
  return ThreadOrder({{},
                      {.creator = 1, .created_at = 3, .joiner = 1, .joined_at = 6},
                      {.creator = 2, .created_at = 0},
                      {}});
}

TEST(ThreadOrderTest, CreationAndJoinOrderAndNothingElseDoes) {
  const ThreadOrder order = Family();
  const struct {
    Moment a, b;
    bool before;
  } cases[] = {
      {{1, 0}, {2, 0}, true},   {{1, 3}, {2, 9}, true},    // up to the creation
      {{1, 4}, {2, 0}, false},  {{2, 0}, {1, 4}, false},   // both run
      {{2, 9}, {1, 6}, true},   {{2, 9}, {1, 5}, false},   // from the join on
      {{1, 3}, {3, 0}, true},   {{2, 0}, {3, 0}, true},    // a thread's thread
      {{2, 1}, {3, 0}, false},  {{3, 0}, {1, 6}, false},   // which nobody joined
      {{1, 0}, {4, 0}, false},  {{4, 0}, {1, 9}, false},   // not seen being created
      {{1, 0}, {99, 0}, false}, {{99, 0}, {1, 0}, false},  // not in the table
      {{1, 1}, {1, 2}, true},   {{1, 2}, {1, 2}, false},
  };
  for (const auto& c : cases) {
    for (int time = 0; time < 2; ++time) {  // asked again it says the same
      EXPECT_EQ(order.Before(c.a, c.b), c.before)
          << c.a.thread << "@" << c.a.clock << " before " << c.b.thread << "@" << c.b.clock;
    }
  }
}

TEST(OrderVerdictTest, WhatCreationOrJoinKeepsApartCannotMeet) {
  const ThreadOrder order = Family();
  const auto verdict = [&](uint32_t first, uint32_t last) {
    return JudgeCycle(std::vector{Edge(1, 2, {At(Seen(1), first, last)}), Edge(2, 1, {Seen(2)})},
                      order)
        .verdict;
  };
  EXPECT_EQ(verdict(0, 3), OrderVerdict::kOrdered) << "before the other thread began";
  EXPECT_EQ(verdict(6, 8), OrderVerdict::kOrdered) << "after it was joined";
  EXPECT_EQ(verdict(4, 4), OrderVerdict::kPotential);
  EXPECT_EQ(verdict(0, 4), OrderVerdict::kPotential) << "first before, later beside it";
  EXPECT_EQ(verdict(5, 9), OrderVerdict::kPotential);
  EXPECT_EQ(verdict(0, 9), OrderVerdict::kOrdered);
  EXPECT_EQ(VerdictOn({Edge(1, 2, {At(Seen(1), 0, 3)}), Edge(2, 1, {Seen(2)})}),
            OrderVerdict::kPotential)
      << "if nothing is known of who created whom";
}

TEST(OrderVerdictTest, OfSeveralWitnessesOneThatCanMeetIsChosen) {
  const auto result = JudgeCycle(
      std::vector{Edge(1, 2, {At(Seen(1), 0, 0), At(Seen(1), 5, 9)}), Edge(2, 1, {Seen(2)})},
      Family());
  ASSERT_EQ(result.verdict, OrderVerdict::kPotential);
  EXPECT_EQ(result.chosen[0].first_clock, 5u);
}

TEST(OrderVerdictTest, DroppedGatesMakeItUncertain) {
  OrderWitness crowded = Seen(1);
  crowded.gates_dropped = 3;
  EXPECT_TRUE(JudgeCycle(std::vector{Edge(1, 2, {crowded}), Edge(2, 1, {Seen(2)})}).uncertain);
}

TEST(OrderVerdictTest, AgreesWithANaiveTwinOnRandomCycles) {
  std::mt19937 random(99);
  int potential = 0;
  for (int round = 0; round < 20'000; ++round) {
    const uint32_t length = 2 + random() % 3;
    std::vector<EdgeInfo> cycle;
    for (uint32_t i = 0; i < length; ++i) {
      std::vector<OrderWitness> witnesses;
      for (uint32_t n = 1 + random() % 3; n > 0; --n) {
        std::vector<ledger::PackedRef> gates;
        if (random() % 3 == 0) gates.push_back(Gate(90 + random() % 2, random() % 2 ? kX : kS));
        witnesses.push_back(Seen(1 + random() % 3, random() % 2 ? kX : kS,
                                 static_cast<uint8_t>((random() % 2 ? kX : kS) |
                                                      (random() % 6 == 0 ? ledger::kTry : 0)),
                                 gates));
      }
      cycle.push_back(Edge(i, (i + 1) % length, std::move(witnesses)));
    }
    // Every combination, each rule over the whole of it.
    bool possible = false;
    std::vector<size_t> pick(length, 0);
    for (bool more = true; more && !possible;) {
      const auto at = [&](size_t i) -> const OrderWitness& { return cycle[i].witnesses[pick[i]]; };
      bool good = true;
      for (size_t i = 0; i < length; ++i) {
        good &= (at(i).to_mode & ledger::kTry) == 0;
        good &= (at(i).to_mode & ledger::kModeMask) == kX ||
                at((i + 1) % length).from_mode == kX;
        for (size_t j = 0; j < i; ++j) {
          good &= at(i).thread_serial != at(j).thread_serial;
          good &= !(at(i).gate_count == 1 && at(j).gate_count == 1 &&
                    ledger::IndexOf(at(i).gates[0]) == ledger::IndexOf(at(j).gates[0]) &&
                    (ledger::ModeOf(at(i).gates[0]) == Mode::kExclusive ||
                     ledger::ModeOf(at(j).gates[0]) == Mode::kExclusive));
        }
      }
      possible = good;
      more = false;
      for (size_t i = 0; i < length && !more; ++i) {
        if (++pick[i] < cycle[i].witnesses.size()) more = true; else pick[i] = 0;
      }
    }
    ASSERT_EQ(VerdictOn(cycle) == OrderVerdict::kPotential, possible) << "round " << round;
    potential += possible;
  }
  EXPECT_GT(potential, 500);
}

}  // namespace
}  // namespace lockwarden
