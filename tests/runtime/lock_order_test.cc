// Lock order: which edges and witnesses an acquisition leaves in the graph, and when.
#include <set>
#include <thread>
#include <vector>

#include "runtime/thread_slots.h"
#include "tests/runtime/fake_lock.h"
#include "tests/runtime/small_ledger.h"

namespace lockwarden::ledger {
namespace {

class LockOrderTest : public SmallLedger {
 protected:
  // Null if there is no such edge.
  OrderEdge* Edge(FakeLock* from, FakeLock* to) {
    for (uint32_t i = 0; i < Used(kEdges); ++i) {
      OrderEdge& edge = TheLedger().Table<OrderEdge>(kEdges)[i];
      if (edge.ready == 1 && IndexOf(edge.from) == IndexOf(FindLock(from)) &&
          IndexOf(edge.to) == IndexOf(FindLock(to)) && edge.witness_count > 0) {
        return &edge;
      }
    }
    return nullptr;
  }
  std::vector<OrderWitness> Witnesses(const OrderEdge& edge) {
    std::vector<OrderWitness> all;
    for (const auto& index : edge.witness) {
      if (index != 0) all.push_back(TheLedger().Table<OrderWitness>(kWitnesses)[index - 1]);
    }
    return all;
  }
  template <class A = FakeMutex, class B = FakeMutex>
  void Nest(FakeLock* a, FakeLock* b) {
    Acquire<A>(a);
    Acquire<B>(b);
    Release(b);
    Release(a);
  }
};

TEST_F(LockOrderTest, TheEdgeIsThereBeforeTheAcquireCanBlock) {
  FakeLock a, b;
  Acquire(&a);
  EXPECT_EQ(Edge(&a, &b), nullptr);
  Acquire(&b, [&] {
    EXPECT_NE(Edge(&a, &b), nullptr);
    return false;
  });
  EXPECT_EQ(Edge(&b, &a), nullptr);
}

TEST_F(LockOrderTest, ALockAtOneTimeIsNotTakenForAnotherAtTheNext) {
  FakeLock held;
  Acquire(&held);
  std::set<uint64_t> hashes;
  for (uint64_t clock = 0; clock < 8; ++clock) {
    Me().order_clock = clock;
    for (uint32_t index = 0; index < 2048; ++index) {
      hashes.insert(HeldHash(&Me(), 0, Pack(index, 1, static_cast<uint8_t>(Mode::kExclusive))));
    }
  }
  EXPECT_EQ(hashes.size(), 8u * 2048u);
  Me().order_clock = 0;
  Release(&held);
}

TEST_F(LockOrderTest, TheWitnessSaysWhoHowWhereAndBehindWhichGates) {
  FakeLock gate, a, b;
  Acquire<FakeWriter>(&gate);
  Acquire<FakeReader>(&a, Succeed{}, kTimed);
  Acquire(&b);
  const OrderEdge* edge = Edge(&a, &b);
  ASSERT_NE(edge, nullptr);
  const auto witnesses = Witnesses(*edge);
  ASSERT_EQ(witnesses.size(), 1u);
  const OrderWitness& w = witnesses[0];
  EXPECT_EQ(w.thread_serial, Me().serial);
  EXPECT_EQ(w.from_mode, static_cast<uint8_t>(Mode::kShared) | kTimed);
  EXPECT_EQ(w.to_mode, static_cast<uint8_t>(Mode::kExclusive));
  EXPECT_NE(w.from_site, 0u);
  EXPECT_NE(w.to_site, 0u);
  EXPECT_NE(w.from_site, w.to_site);
  ASSERT_EQ(w.gate_count, 1u);
  EXPECT_EQ(IndexOf(w.gates[0]), IndexOf(FindLock(&gate)));
  EXPECT_EQ(ModeOf(w.gates[0]), Mode::kExclusive);
  EXPECT_EQ(w.gates_dropped, 0u);
  EXPECT_NE(Edge(&gate, &a), nullptr);
  EXPECT_NE(Edge(&gate, &b), nullptr);
}

TEST_F(LockOrderTest, TheSameWitnessIsNotAddedTwice) {
  FakeLock a, b;
  for (int i = 0; i < 10; ++i) {
    Nest(&a, &b);
    std::fill(std::begin(Me().order_cache), std::end(Me().order_cache), 0);
  }
  ASSERT_NE(Edge(&a, &b), nullptr);
  EXPECT_EQ(Edge(&a, &b)->witness_count, 1u);
  EXPECT_EQ(Used(kEdges), 1u);
}

TEST_F(LockOrderTest, AnotherThreadOrAnotherModeIsAnotherWitness) {
  FakeLock a, b;
  Nest(&a, &b);
  std::thread([&] { Nest(&a, &b); }).join();
  Acquire(&a);
  Acquire(&b, Refuse{}, kTimed);
  Release(&a);
  const auto witnesses = Witnesses(*Edge(&a, &b));
  ASSERT_EQ(witnesses.size(), 3u);
  EXPECT_NE(witnesses[0].thread_serial, witnesses[1].thread_serial);
  EXPECT_NE(witnesses[2].to_mode & kTimed, 0u);
}

TEST_F(LockOrderTest, ThatThereWereMoreWitnessesThanFourIsToBeSeen) {
  FakeLock a, b;
  for (int i = 0; i < 6; ++i) std::thread([&] { Nest(&a, &b); }).join();
  EXPECT_GT(Edge(&a, &b)->witness_count, kWitnessesPerEdge);
  EXPECT_EQ(Witnesses(*Edge(&a, &b)).size(), kWitnessesPerEdge);
}

TEST_F(LockOrderTest, AThreadThatComesByAgainAtALaterTimeIsASecondWitnessAndThenMovesIt) {
  FakeLock a, b;
  for (const uint32_t clock : {0, 0, 3, 7, 9}) {
    Me().order_clock = clock;
    Nest(&a, &b);
  }
  const auto witnesses = Witnesses(*Edge(&a, &b));
  ASSERT_EQ(witnesses.size(), 2u);
  EXPECT_EQ(witnesses[0].first_clock, 0u);
  EXPECT_EQ(witnesses[0].last_clock.Get(), 0u);
  EXPECT_EQ(witnesses[1].first_clock, 3u);
  EXPECT_EQ(witnesses[1].last_clock.Get(), 9u);
}

TEST_F(LockOrderTest, WhoCreatedAndJoinedAThreadIsKept) {
  const auto life = [](uint32_t serial) -> const ThreadLife& {
    return TheLedger().Table<ThreadLife>(kThreadLives)[serial - 1];
  };
  const uint32_t me = Me().serial, child = header().next_thread_serial;
  const uint32_t slot = ClaimThreadSlot(/*start_routine=*/1);
  EXPECT_EQ(life(child).creator, me);
  EXPECT_EQ(life(child).created_at, 0u);
  EXPECT_EQ(Me().order_clock, 1u);
  std::thread([&] { BindThread(slot, 0); }).join();
  const uint64_t descriptor = life(child).pthread_self;
  EXPECT_NE(descriptor, 0u);
  NoteThreadJoined(TheLedger(), /*serial=*/0, descriptor, &Me());  // its record is used again
  EXPECT_EQ(life(child).joiner, me);
  EXPECT_EQ(life(child).joined_at, 2u);
  EXPECT_EQ(Me().order_clock, 2u);
  EXPECT_EQ(life(me).creator, 0u) << "not seen being created";
  EXPECT_EQ(Used(kThreadLives), child);
}

TEST_F(LockOrderTest, ATryCannotBlockAndAddsNoEdge) {
  FakeLock a, b, c;
  Acquire(&a);
  Acquire(&b, Succeed{}, kTry);
  EXPECT_EQ(Used(kEdges), 0u);
  // But what was taken by a try is held like anything else.
  Acquire(&c);
  EXPECT_NE(Edge(&b, &c), nullptr);
}

class ThreadEdgeTest : public LockOrderTest {
 protected:
  const OrderEdge* ThreadEdge(PackedRef from, PackedRef to) {
    for (uint32_t i = 0; i < Used(kThreadEdges); ++i) {
      const OrderEdge& edge = TheLedger().Table<OrderEdge>(kThreadEdges)[i];
      if (edge.ready == 1 && edge.from == WithoutMode(from) && edge.to == WithoutMode(to)) {
        return &edge;
      }
    }
    return nullptr;
  }
  void Join(uint32_t serial, uint8_t bits = 0) {
    RecordJoinOrder(&Me(), 0, serial, /*pthread_self=*/0, bits, LOCKWARDEN_SITE, LOCKWARDEN_CFA);
  }
};

TEST_F(ThreadEdgeTest, WhatAThreadTakesIsNotedForWhoJoinsItAndOnce) {
  FakeLock outer, inner, tried, before, within;
  Nest(&before, &within);
  EXPECT_EQ(Used(kThreadEdges), 0u) << "nobody created this one";
  Me().creator_serial = 77;
  const PackedRef me = ThreadRef(Me().serial);
  for (int i = 0; i < 3; ++i) Nest(&outer, &inner);
  Acquire(&tried, Succeed{}, kTry);
  EXPECT_EQ(Used(kThreadEdges), 2u);
  ASSERT_NE(ThreadEdge(me, FindLock(&outer)), nullptr);
  ASSERT_NE(ThreadEdge(me, FindLock(&inner)), nullptr);
  const auto witnesses = Witnesses(*ThreadEdge(me, FindLock(&inner)));
  ASSERT_EQ(witnesses.size(), 1u);
  EXPECT_EQ(ModeOf(witnesses[0].from_mode), Mode::kJoin);
  ASSERT_EQ(witnesses[0].gate_count, 1u);
  EXPECT_EQ(IndexOf(witnesses[0].gates[0]), IndexOf(FindLock(&outer)));
  EXPECT_EQ(Used(kEdges), 2u) << "and the locks' own order stands apart";
}

TEST_F(ThreadEdgeTest, AJoinIsAnEdgeFromWhatIsHeldAndFromOneself) {
  FakeLock held;
  Join(5);
  EXPECT_EQ(Used(kThreadEdges), 0u) << "nothing is held";
  Acquire(&held);
  Join(5, kTimed);
  const OrderEdge* const edge = ThreadEdge(FindLock(&held), ThreadRef(5));
  ASSERT_NE(edge, nullptr);
  EXPECT_EQ(Witnesses(*edge)[0].to_mode, static_cast<uint8_t>(Mode::kJoin) | kTimed);
  Join(0);  // not known who it is
  EXPECT_EQ(Used(kThreadEdges), 1u);
  Me().creator_serial = 77;
  Join(6);
  EXPECT_NE(ThreadEdge(ThreadRef(Me().serial), ThreadRef(6)), nullptr);
  EXPECT_NE(ThreadEdge(FindLock(&held), ThreadRef(6)), nullptr);
}

TEST_F(ThreadEdgeTest, OfManyLocksSoManyAreNoted) {
  Me().creator_serial = 77;
  std::vector<FakeLock> locks(kUsesNoted + 50);
  for (FakeLock& lock : locks) {
    Acquire(&lock);
    Release(&lock);
  }
  EXPECT_EQ(Used(kThreadEdges), kUsesNoted);
  EXPECT_EQ(Dropped(kThreadEdges), 0u);
}

TEST_F(LockOrderTest, ARelockIsNoOrder) {
  FakeLock lock, other;
  Acquire<FakeRecursive>(&lock);
  Acquire(&other);
  Acquire<FakeRecursive>(&lock);
  EXPECT_EQ(Edge(&other, &lock), nullptr);
  EXPECT_EQ(Edge(&lock, &lock), nullptr);
  FakeLock readers;
  Acquire<FakeReader>(&readers);
  Acquire<FakeReader>(&readers);
  EXPECT_EQ(Edge(&readers, &readers), nullptr);
}

TEST_F(LockOrderTest, ASemaphoreHandedOverDoesNotOrderAndOneUsedAsALockDoes) {
  FakeLock lock, handed_over, after;
  Acquire<FakeSemaphore>(&lock);
  Acquire<FakeSemaphore>(&handed_over);
  std::thread([&] { Post(&handed_over); }).join();
  Acquire(&after);
  EXPECT_NE(Edge(&lock, &after), nullptr);
  EXPECT_EQ(Edge(&handed_over, &after), nullptr);
}

TEST_F(LockOrderTest, AMutexThatOthersUnlockOrdersNothing) {
  FakeLock handed_over, next;
  Acquire(&handed_over);
  std::thread([&] { ReleaseForeign(&handed_over); }).join();
  Acquire(&next);
  EXPECT_EQ(Edge(&handed_over, &next), nullptr);
}

TEST_F(LockOrderTest, LocksOfAnEndedLifeDoNotShareAnEdgeWithTheNext) {
  FakeLock a, b;
  Create(&a);
  Nest(&a, &b);
  Destroy(&a);
  Create(&a);
  Nest(&a, &b);
  EXPECT_EQ(Used(kEdges), 2u);
}

TEST_F(LockOrderTest, SeventyLocksHeldAtOnceAreAllOrderedOrCounted) {
  std::vector<FakeLock> locks(71);
  for (FakeLock& lock : locks) Acquire(&lock);
  EXPECT_EQ(HeldBy(Me()).size(), 71u);
  const OrderEdge* first = Edge(&locks[0], &locks[70]);
  ASSERT_NE(first, nullptr);
  const OrderWitness w = Witnesses(*first).at(0);
  EXPECT_EQ(w.gate_count + w.gates_dropped, 69u);
  // 64 at most are ordered before one acquisition.
  EXPECT_NE(Edge(&locks[63], &locks[70]), nullptr);
}

Capacities WithFewEdges() {
  Capacities few = Capacities{}.Scaled(8);
  few.edges = 64;
  few.witnesses = 64;
  return few;
}
class FullEdgeTableTest : public SmallLedger {
 protected:
  FullEdgeTableTest() : SmallLedger(WithFewEdges()) {}
};

TEST_F(FullEdgeTableTest, EdgesBeyondTheTableAreCountedAndLocksStillWork) {
  std::vector<FakeLock> locks(20);  // 190 edges
  for (FakeLock& lock : locks) EXPECT_TRUE(Acquire(&lock));
  EXPECT_EQ(Used(kEdges), 64u);
  EXPECT_EQ(Dropped(kEdges), 190u - 64u);
  for (FakeLock& lock : locks) EXPECT_NE(Release(&lock), 0u);
}

TEST_F(LockOrderTest, TwoThreadsThatAddTheSameEdgesAddEachOnce) {
  constexpr int kCount = 64;
  std::vector<FakeLock> locks(kCount);
  for (FakeLock& lock : locks) Create(&lock);
  const auto nest_all = [&] {
    for (int i = 0; i + 1 < kCount; ++i) Nest(&locks[i], &locks[i + 1]);
  };
  std::thread a(nest_all), b(nest_all);
  a.join();
  b.join();
  for (int i = 0; i + 1 < kCount; ++i) {
    const OrderEdge* edge = Edge(&locks[i], &locks[i + 1]);
    ASSERT_NE(edge, nullptr);
    EXPECT_EQ(edge->witness_count, 2u);
  }
}

}  // namespace
}  // namespace lockwarden::ledger
