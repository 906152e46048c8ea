// Misuse records: who is named, what is not misuse, and how often the same is written down.
#include "runtime/misuse.h"

#include <thread>

#include "tests/runtime/fake_lock.h"
#include "tests/runtime/small_ledger.h"

namespace lockwarden::ledger {
namespace {

using FakeErrorCheck = FakeObject<LockKind::kMutex, Mode::kExclusive, kErrorCheck>;

uint32_t Tid() { return this_thread.record->tid; }
uint32_t Serial() { return this_thread.record->serial; }

// Runs it in a thread that has a record of its own and is gone afterwards.
template <class Body>
void Elsewhere(Body body) {
  std::thread([&] { body(); }).join();
}

// A hook that tells the recorder `note`.
template <class Note>
__attribute__((noinline)) void InHook(Note note) {
  const uint64_t site = LOCKWARDEN_SITE;
  InScope(LOCKWARDEN_CFA, [] { return 0; }, [&](const auto& scope) {
    note(Place(scope), site);
    return 0;
  });
}
void Refused(FakeLock* lock, WordSays says) {
  InHook([&](const Place& place, uint64_t site) {
    NoteRefusedRelease(place, FindLock(lock), says, site);
  });
}
void DestroyTaken(FakeLock* lock, WordSays says) {
  InHook([&](const Place& place, uint64_t site) {
    NoteTakenDestroy(place, FindLock(lock), says, site);
  });
}

struct FakeCondition {
  static uint32_t Describe(const void*) { return static_cast<uint32_t>(LockKind::kCondition); }
};
// As the condition hook does; `asleep` stands where the real call is.
template <class Asleep>
void WaitOn(FakeLock* condition, FakeLock* mutex, Asleep asleep) {
  InHook([&](const Place& place, uint64_t site) {
    const PackedRef ref =
        IdentifyLock(place.record, condition, FakeCondition::Describe, site, place.cfa).ref;
    const PackedRef held = PopHeld(place.record, place.frame_index, IndexOf(FindLock(mutex)));
    {
      PlainWait wait(place, ref | static_cast<uint8_t>(Mode::kSignal), condition, held, site);
      NoteConditionMutex(place, ref, held, site);
      asleep();
    }
    RestoreHeld(place, held, site);
  });
}

class MisuseTest : public SmallLedger {
 protected:
  explicit MisuseTest(Capacities capacities = Capacities{}.Scaled(6)) : SmallLedger(capacities) {}
  uint32_t Count() { return Used(kMisuse); }
  MisuseRecord& At(uint32_t i) { return TheLedger().Table<MisuseRecord>(kMisuse)[i]; }
  MisuseKind KindAt(uint32_t i) { return static_cast<MisuseKind>(At(i).kind.load()); }
};

TEST_F(MisuseTest, AReleaseOfWhatAnotherThreadHoldsNamesBothAndWhere) {
  FakeLock lock;
  Acquire(&lock);
  const uint32_t owner = Tid();
  uint32_t other = 0;
  Elsewhere([&] {
    ReleaseForeign(&lock, {.owner = owner});
    other = Serial();
  });
  ASSERT_EQ(Count(), 1u);
  EXPECT_EQ(KindAt(0), MisuseKind::kUnlockNotOwner);
  EXPECT_EQ(At(0).thread_serial, other);
  EXPECT_EQ(At(0).other_serial, Serial());
  EXPECT_EQ(IndexOf(At(0).lock), IndexOf(FindLock(&lock)));
  EXPECT_EQ(ModeOf(At(0).lock), Mode::kExclusive);
  EXPECT_NE(At(0).stack, 0u);
  EXPECT_NE(At(0).other_stack, 0u);
  EXPECT_NE(At(0).site, 0u);
  EXPECT_NE(At(0).time_ns, 0u);
  EXPECT_EQ(At(0).count, 1u);
  EXPECT_EQ(At(0).ready, 1u);
  EXPECT_EQ(LockAt(IndexOf(FindLock(&lock))).foreign_releases, 1u);
}

TEST_F(MisuseTest, WhatNobodyIsKnownToHoldIsNoMisuse) {
  FakeLock never_seen, held, reborn;
  ReleaseForeign(&never_seen, {.owner = Tid()});  // before we were loaded, or another process
  EXPECT_EQ(Count(), 0u);
  Acquire(&held);
  constexpr uint32_t kAnotherProcess = 1u << 30;
  const uint32_t me = Tid();
  Elsewhere([&] {
    ReleaseForeign(&held, {.owner = kAnotherProcess});
    ReleaseForeign(&held);  // free by now, or its word cannot say
    Refused(&held, {.owner = kAnotherProcess});
  });
  Create(&reborn);
  Acquire(&reborn);
  Create(&reborn);  // the hold is of an earlier life
  Elsewhere([&] {
    ReleaseForeign(&reborn, {.owner = me});
    DestroyTaken(&reborn, {.owner = me});
  });
  EXPECT_EQ(Count(), 0u);
}

TEST_F(MisuseTest, WhatTheParentsThreadHeldIsNoMisuse) {
  FakeLock lock;
  Acquire(&lock);
  std::atomic<PackedRef>& hold = Me().held[0].lock;
  hold = hold | kInherited;
  const uint32_t me = Tid();
  DestroyTaken(&lock, {.owner = me});
  Elsewhere([&] {
    ReleaseForeign(&lock, {.owner = me});
    Refused(&lock, {.owner = me});
    DestroyTaken(&lock, {.owner = me});
  });
  EXPECT_EQ(Count(), 0u);
}

TEST_F(MisuseTest, AReadersReleaseIsBlamedOnlyIfAllThatAreCountedAreKnown) {
  FakeLock lock;
  Acquire<FakeReader>(&lock);
  Acquire<FakeReader>(&lock);
  Elsewhere([&] { ReleaseForeign(&lock, {.readers = 3}); });  // perhaps it reads, unrecorded
  EXPECT_EQ(Count(), 0u);
  Elsewhere([&] {
    FakeLock own;
    Acquire(&own);
    Release(&own);
    this_thread.record->held_dropped = 1;
    ReleaseForeign(&lock, {.readers = 2});  // a thread that holds more than is recorded
  });
  EXPECT_EQ(Count(), 0u);
  Elsewhere([&] { ReleaseForeign(&lock, {.readers = 2}); });
  ASSERT_EQ(Count(), 1u);
  EXPECT_EQ(At(0).other_serial, Serial());
  EXPECT_EQ(ModeOf(At(0).lock), Mode::kShared);
}

TEST_F(MisuseTest, ARefusedReleaseIsNotedAndHandsNothingOver) {
  FakeLock held, free_lock;
  Acquire<FakeErrorCheck>(&held);
  Create<FakeErrorCheck>(&free_lock);
  const uint32_t me = Tid();
  Elsewhere([&] { Refused(&held, {.owner = me}); });
  ASSERT_EQ(Count(), 1u);
  EXPECT_EQ(At(0).other_serial, Serial());
  Refused(&free_lock, {});  // nobody held it
  ASSERT_EQ(Count(), 2u);
  EXPECT_EQ(At(1).other_serial, 0u);
  EXPECT_EQ(LockAt(IndexOf(FindLock(&held))).foreign_releases, 0u);
}

TEST_F(MisuseTest, ADestructionNamesTheHolderBeItTheThreadItself) {
  FakeLock mutex, rwlock, handed_over;
  Acquire(&mutex);
  Acquire<FakeReader>(&rwlock);
  Acquire<FakeReader>(&handed_over);
  Elsewhere([&] { ReleaseForeign(&handed_over); });
  const uint32_t me = Tid();
  DestroyTaken(&mutex, {.owner = me});
  Elsewhere([&] {
    DestroyTaken(&rwlock, {.readers = 4});       // of whom one is known
    DestroyTaken(&handed_over, {.readers = 1});  // its hold may be over
  });
  ASSERT_EQ(Count(), 2u);
  EXPECT_EQ(KindAt(0), MisuseKind::kDestroyHeld);
  EXPECT_EQ(At(0).thread_serial, At(0).other_serial);
  EXPECT_EQ(KindAt(1), MisuseKind::kDestroyHeld);
  EXPECT_EQ(At(1).other_serial, Serial());
  EXPECT_EQ(ModeOf(At(1).lock), Mode::kShared);
}

TEST_F(MisuseTest, TwoMutexesAtOnceAreNotedTwoInTurnAreNot) {
  FakeLock condition, a, b;
  Acquire(&a);
  Acquire(&b);
  for (int i = 0; i < 3; ++i) {
    WaitOn(&condition, &a, [] {});
    WaitOn(&condition, &b, [] {});
  }
  EXPECT_EQ(Count(), 0u);
  Release(&b);
  WaitOn(&condition, &a, [&] {
    Elsewhere([&] {
      Acquire(&b);
      WaitOn(&condition, &b, [] {});
      Release(&b);
    });
  });
  ASSERT_EQ(Count(), 1u);
  EXPECT_EQ(KindAt(0), MisuseKind::kTwoMutexes);
  EXPECT_EQ(IndexOf(At(0).lock), IndexOf(FindLock(&condition)));
  EXPECT_EQ(IndexOf(At(0).other_lock), IndexOf(FindLock(&b)));
  EXPECT_EQ(At(0).other_serial, Serial());
  EXPECT_NE(At(0).other_stack, 0u);
}

TEST_F(MisuseTest, OneMutexByManyThreadsIsNoMisuse) {
  FakeLock condition, mutex;
  Acquire(&mutex);
  WaitOn(&condition, &mutex, [&] {
    Elsewhere([&] {
      Acquire(&mutex);
      WaitOn(&condition, &mutex, [] {});
      Release(&mutex);
    });
  });
  EXPECT_EQ(Count(), 0u);
}

TEST_F(MisuseTest, TheSameAgainIsCountedAtAnotherPlaceItIsWrittenDown) {
  FakeLock lock, another;
  Acquire(&lock);
  Acquire(&another);
  const uint32_t me = Tid();
  Elsewhere([&] {
    FakeLock* const both[] = {&lock, &another};
#pragma GCC unroll 1  // one call site
    for (int i = 0; i < 100; ++i) ReleaseForeign(both[i % 2], {.owner = me});
  });
  ASSERT_EQ(Count(), 1u);
  EXPECT_EQ(At(0).count, 100u);
  Elsewhere([&] { ReleaseForeign(&lock, {.owner = me}); });
  EXPECT_EQ(Count(), 2u);
}

// One place in the code that is reached in ever other ways, each a stack of its own.
__attribute__((noinline)) void Deep(int levels, FakeLock* lock, uint32_t owner) {
  if (levels == 0) {
    DestroyTaken(lock, {.owner = owner});
  } else {
    Deep(levels - 1, lock, owner);
  }
  asm volatile("");  // no tail call
}

TEST_F(MisuseTest, OnePlaceReachedInManyWaysFillsNoTable) {
  FakeLock lock;
  Acquire(&lock);
  for (int levels = 0; levels < 40; ++levels) Deep(levels, &lock, Tid());
  EXPECT_LE(Count(), 16u + 3u) << "as many are told of one place, and near the end are three more";
  uint64_t sum = 0;
  for (uint32_t i = 0; i < Count(); ++i) sum += At(i).count;
  EXPECT_EQ(sum, 40u);
}

// Every caller comes through one wrapper, so that the call site is always the same.
__attribute__((noinline)) void Wrapper(FakeLock* lock, uint32_t owner) {
  DestroyTaken(lock, {.owner = owner});
  asm volatile("");  // no tail call
}
template <int kCaller>
__attribute__((noinline)) void Caller(FakeLock* lock, uint32_t owner) {
  Wrapper(lock, owner);
  asm volatile("" ::"i"(kCaller));  // a function of its own
}
template <int... kCallers>
void CallAll(std::integer_sequence<int, kCallers...>, FakeLock* lock, uint32_t owner) {
  (Caller<kCallers>(lock, owner), ...);
}

TEST_F(MisuseTest, AWrapperHidesNoneOfItsCallers) {
  FakeLock lock;
  Acquire(&lock);
  CallAll(std::make_integer_sequence<int, 40>(), &lock, Tid());
  EXPECT_EQ(Count(), 40u);
}

TEST_F(MisuseTest, AFullTableIsCounted) {
  FakeLock lock;
  Acquire(&lock);
  const uint32_t capacity = TheLedger().Capacity(kMisuse);
  TheLedger().Allocate(kMisuse, capacity);
  DestroyTaken(&lock, {.owner = Tid()});
  EXPECT_EQ(Dropped(kMisuse), 1u);
  EXPECT_EQ(Count(), capacity);
}

TEST_F(MisuseTest, AnEndedThreadsIdThatCameAgainMeansTheNewOne) {
  FakeLock lock;
  constexpr uint32_t kTid = 77;
  const auto takes = [&] {
    Acquire(&lock);
    this_thread.record->tid = kTid;
  };
  Elsewhere(takes);
  uint32_t newer = 0;
  Elsewhere([&] {
    takes();
    newer = Serial();
  });
  DestroyTaken(&lock, {.owner = kTid});
  ASSERT_EQ(Count(), 1u);
  EXPECT_EQ(At(0).other_serial, newer);
}

}  // namespace
}  // namespace lockwarden::ledger
