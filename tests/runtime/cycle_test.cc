// The search for a cycle of waits, over records as other threads would have left them; and two
// closers at once, by the seams between the halves. One thread plays them all.
#include "runtime/cycle.h"

#include <functional>
#include <utility>

#include "tests/runtime/fake_lock.h"
#include "tests/runtime/small_ledger.h"

namespace lockwarden::ledger {
namespace {

template <Mode kMode>
using FakeShared = FakeObject<LockKind::kSharedLock, kMode>;

struct CycleSeam {
  static inline std::function<void()> on_offered, on_found;
  static void Run(std::function<void()>& hook) {
    if (auto run = std::exchange(hook, nullptr)) run();
  }
  static void Offered() { Run(on_offered); }
  static void Found() { Run(on_found); }
};

class CycleTest : public SmallLedger {
 protected:
  uint32_t Thread() {
    const uint32_t slot = TheLedger().Allocate(kThreads);
    ThreadRecord& record = At(slot);
    record.tid = 1000 + slot;
    record.serial = 10 + slot;
    record.state = static_cast<uint32_t>(ThreadState::kLive);
    return slot;
  }
  ThreadRecord& At(uint32_t thread) { return TheLedger().Table<ThreadRecord>(kThreads)[thread]; }

  template <class Object = FakeMutex>
  PackedRef Lock() {
    FakeLock* const lock = &locks_[next_lock_++];
    Create<Object>(lock);
    return WithoutMode(FindLock(lock));
  }
  void Hold(uint32_t thread, PackedRef lock, Mode mode = Mode::kExclusive, uint8_t bits = 0) {
    Frame& frame = At(thread).frame0;
    HeldEntry& entry = At(thread).held[frame.held_count];
    entry.lock = lock | static_cast<uint8_t>(mode) | bits;
    entry.site = 0x5000 + thread;
    ++frame.held_count;
  }
  void Wait(uint32_t thread, PackedRef lock, Mode mode = Mode::kExclusive, uint8_t bits = 0) {
    WaitSlot& wait = At(thread).frame0.wait;
    wait.site = 0x4000 + thread;
    wait.since_ns = 1;
    wait.wait = lock | static_cast<uint8_t>(mode) | bits;
  }
  void Join(uint32_t thread, uint32_t joined) {
    Wait(thread, Pack(joined, At(joined).serial, 0), Mode::kJoin);
  }
  // Of how many threads; 0: there is none.
  uint32_t LengthFrom(uint32_t thread) {
    cycle_ = {};
    return FindCycle(At(thread), 0, &cycle_) ? cycle_.length : 0;
  }
  bool VictimIs(uint32_t thread) { return IsVictim<CycleSeam>(PlaceOf(thread), &cycle_); }
  Place PlaceOf(uint32_t thread) { return Place(Scope<AnyFrame>(&At(thread), 0, AnyFrame{0})); }
  uint64_t Broken() { return header().broken; }
  Cycle cycle_;

 private:
  FakeLock locks_[256];
  uint32_t next_lock_ = 0;
};

TEST_F(CycleTest, TwoThreadsThatWaitForEachOther) {
  const uint32_t one = Thread(), two = Thread();
  const PackedRef a = Lock(), b = Lock();
  Hold(one, a), Hold(two, b);
  Wait(one, b);
  EXPECT_EQ(LengthFrom(one), 0u);
  Wait(two, a);
  EXPECT_EQ(LengthFrom(one), 2u);
  EXPECT_EQ(LengthFrom(two), 2u);
  EXPECT_EQ(cycle_.links[0].tid, 1000 + two);
  EXPECT_EQ(cycle_.links[0].kind, LockKind::kMutex);
  EXPECT_EQ(cycle_.links[0].wait_site, 0x4000 + two);
  EXPECT_EQ(cycle_.links[0].hold_site, 0x5000 + one);
  EXPECT_EQ(cycle_.links[1].tid, 1000 + one);
  EXPECT_EQ(cycle_.links[1].hold_site, 0x5000 + two);
  EXPECT_NE(cycle_.links[0].lock, cycle_.links[1].lock);
}

TEST_F(CycleTest, WhoeverMightGoOnLeavesItOpen) {
  struct Case {
    const char* what;
    uint8_t wait_bits, hold_bits;
    bool frees, handed_over, reborn;
  };
  for (const Case& c :
       {Case{"a time limit", kTimed, 0, false, false, false},
        Case{"the parent's", 0, kInherited, false, false, false},
        Case{"released", 0, 0, true, false, false}, Case{"handed over", 0, 0, false, true, false},
        Case{"another life", 0, 0, false, false, true}}) {
    SCOPED_TRACE(c.what);
    const uint32_t one = Thread(), two = Thread();
    const PackedRef a = Lock(), b = Lock();
    Hold(one, a), Hold(two, b, Mode::kExclusive, c.hold_bits);
    Wait(one, b);
    Wait(two, a, Mode::kExclusive, c.wait_bits);
    if (c.frees) At(two).frame0.held_count = 0;
    if (c.handed_over) LockAt(IndexOf(b)).foreign_releases = 1;
    if (c.reborn) EndLockLife(b);
    EXPECT_EQ(LengthFrom(one), 0u);
    At(one).frame0.wait.wait = At(two).frame0.wait.wait = 0;
  }
}

TEST_F(CycleTest, ModesThatDoNotConflictAreNotInTheWay) {
  struct Case {
    Mode held, wanted;
    bool conflict;
  };
  for (const Case& c :
       {Case{Mode::kShared, Mode::kShared, false}, Case{Mode::kShared, Mode::kUpgrade, false},
        Case{Mode::kShared, Mode::kExclusive, true}, Case{Mode::kUpgrade, Mode::kShared, false},
        Case{Mode::kUpgrade, Mode::kUpgrade, true}, Case{Mode::kUpgrade, Mode::kExclusive, true},
        Case{Mode::kExclusive, Mode::kShared, true}, Case{Mode::kExclusive, Mode::kUpgrade, true},
        Case{Mode::kExclusive, Mode::kExclusive, true}}) {
    SCOPED_TRACE(static_cast<int>(c.held) * 10 + static_cast<int>(c.wanted));
    const uint32_t one = Thread(), two = Thread();
    const PackedRef a = Lock(), table = Lock<FakeShared<Mode::kShared>>();
    Hold(one, a), Hold(two, table, c.held);
    Wait(two, a);
    Wait(one, table, c.wanted);
    EXPECT_EQ(LengthFrom(one), c.conflict ? 2u : 0u);
  }
}

TEST_F(CycleTest, OneOfManyReadersIsEnoughAndOnesOwnReadIsNone) {
  const uint32_t writer = Thread();
  const PackedRef table = Lock<FakeShared<Mode::kShared>>(), log = Lock();
  Hold(writer, log);
  Hold(writer, table, Mode::kUpgrade);  // about to become the writer
  for (int i = 0; i < 3; ++i) Hold(Thread(), table, Mode::kShared);
  Wait(writer, table);
  EXPECT_EQ(LengthFrom(writer), 0u);
  const uint32_t last = Thread();
  Hold(last, table, Mode::kShared);
  Wait(last, log);
  EXPECT_EQ(LengthFrom(writer), 2u);
}

TEST_F(CycleTest, AJoinIsALinkToThatVeryThread) {
  const uint32_t joiner = Thread(), joined = Thread();
  const PackedRef a = Lock();
  Hold(joiner, a);
  Wait(joined, a);
  Join(joiner, joined);
  EXPECT_EQ(LengthFrom(joined), 2u);
  EXPECT_EQ(cycle_.links[1].kind, LockKind::kNone);
  EXPECT_EQ(LengthFrom(joiner), 2u);
  At(joined).serial = 99;  // the slot is another thread's now
  EXPECT_EQ(LengthFrom(joined), 0u);
}

TEST_F(CycleTest, WhatIsWaitedForByOthersInACycleIsNotOnesOwn) {
  const uint32_t one = Thread(), two = Thread(), behind = Thread();
  const PackedRef a = Lock(), b = Lock();
  Hold(one, a), Hold(two, b);
  Wait(one, b), Wait(two, a);
  Wait(behind, a);
  EXPECT_EQ(LengthFrom(behind), 0u);
}

TEST_F(CycleTest, ChainsAreFollowedAsFarAsIsSaid) {
  for (const uint32_t length : {kLongestChain, kLongestChain + 1}) {
    uint32_t first = 0, previous = 0;
    PackedRef first_lock = 0;
    for (uint32_t i = 0; i < length; ++i) {
      const uint32_t thread = Thread();
      const PackedRef lock = Lock();
      Hold(thread, lock);
      if (i == 0) {
        first = thread;
        first_lock = lock;
      } else {
        Wait(previous, lock);
      }
      previous = thread;
    }
    Wait(previous, first_lock);
    EXPECT_EQ(LengthFrom(first), length == kLongestChain ? length : 0u);
  }
}

TEST_F(CycleTest, OfTwoThatCloseItAtOnceOneIsTheVictim) {
  const uint32_t one = Thread(), two = Thread();
  const PackedRef a = Lock(), b = Lock();
  Hold(one, a), Hold(two, b);
  Wait(one, b);
  CycleSeam::on_offered = [&] { Wait(two, a); };  // and now each of them would find it
  CycleSeam::on_found = [&] { EXPECT_TRUE(VictimIs(two)); };
  EXPECT_FALSE(VictimIs(one));
  EXPECT_EQ(At(two).frame0.wait.wait, 0u);
  EXPECT_NE(At(one).frame0.wait.wait, 0u);
  EXPECT_EQ(Broken(), 1u);
  EXPECT_EQ(header().breaking, 0u);
}

TEST_F(CycleTest, TheOtherClosersWaitIsSeenByTheLaterOne) {
  const uint32_t one = Thread(), two = Thread();
  const PackedRef a = Lock(), b = Lock();
  Hold(one, a), Hold(two, b);
  Wait(one, b);
  EXPECT_FALSE(VictimIs(one));  // it goes to sleep
  Wait(two, a);
  EXPECT_TRUE(VictimIs(two));
  EXPECT_EQ(Broken(), 1u);
}

TEST_F(CycleTest, WhatHasMovedBeforeTheSecondLookIsNone) {
  const uint32_t one = Thread(), two = Thread();
  const PackedRef a = Lock(), b = Lock();
  Hold(one, a), Hold(two, b);
  Wait(one, b), Wait(two, a);
  CycleSeam::on_found = [&] { At(two).frame0.wait.wait = 0; };  // it was the victim of another
  EXPECT_FALSE(VictimIs(one));
  EXPECT_NE(At(one).frame0.wait.wait, 0u);
  EXPECT_EQ(Broken(), 0u);
}

TEST_F(CycleTest, AHandlerThatInterruptsTheSearchIsNoVictimAndDoesNotHang) {
  const uint32_t one = Thread(), two = Thread();
  const PackedRef a = Lock(), b = Lock();
  Hold(one, a), Hold(two, b);
  Wait(one, b), Wait(two, a);
  header().breaking = At(one).tid.load();
  EXPECT_FALSE(VictimIs(one));
  header().breaking = 0;
  EXPECT_TRUE(VictimIs(one));
}

}  // namespace
}  // namespace lockwarden::ledger
