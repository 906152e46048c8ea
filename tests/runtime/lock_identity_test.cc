// Lives of locks: begun at first use or at init, ended at destroy, told apart when memory is
// reused, and agreed upon by threads that meet a lock at the same time.
#include <algorithm>
#include <atomic>
#include <thread>
#include <vector>

#include "runtime/class_tally.h"
#include "runtime/order_api.h"
#include "tests/runtime/fake_lock.h"
#include "tests/runtime/small_ledger.h"

namespace lockwarden::ledger {
namespace {

class LockIdentityTest : public SmallLedger {
 protected:
  PackedRef Use(FakeLock* lock) {
    Acquire(lock);
    return Release(lock);
  }
  bool Alive(PackedRef ref) {
    const LockRecord& lock = LockAt(IndexOf(ref));
    return lock.generation == GenerationOf(ref) && (lock.kind_and_flags & kRecordDestroyed) == 0;
  }
};

TEST_F(LockIdentityTest, TheFirstUseBeginsALife) {
  FakeLock lock;
  EXPECT_EQ(FindLock(&lock), 0u);
  const PackedRef ref = Use(&lock);
  ASSERT_NE(ref, 0u);
  const LockRecord& record = LockAt(IndexOf(ref));
  EXPECT_EQ(record.address, reinterpret_cast<uint64_t>(&lock));
  EXPECT_EQ(KindOf(record.kind_and_flags), LockKind::kMutex);
  EXPECT_EQ(record.kind_and_flags & kInitSeen, 0u);
  EXPECT_NE(record.serial, 0u);
  EXPECT_NE(record.lock_class, 0u);
  EXPECT_TRUE(Alive(ref));
  EXPECT_EQ(Use(&lock), ref);
}

TEST_F(LockIdentityTest, DestroyEndsALifeAndInitBeginsTheNext) {
  FakeLock lock;
  Create(&lock);
  const PackedRef first = Use(&lock);
  EXPECT_NE(LockAt(IndexOf(first)).kind_and_flags & kInitSeen, 0u);
  const uint64_t serial = LockAt(IndexOf(first)).serial;
  Destroy(&lock);
  EXPECT_FALSE(Alive(first));
  EXPECT_EQ(FindLock(&lock), 0u);
  Create(&lock);
  const PackedRef second = Use(&lock);
  EXPECT_EQ(IndexOf(second), IndexOf(first));
  EXPECT_NE(GenerationOf(second), GenerationOf(first));
  EXPECT_GT(LockAt(IndexOf(second)).serial, serial);
  EXPECT_FALSE(Alive(first));
  EXPECT_TRUE(Alive(second));
}

TEST_F(LockIdentityTest, InitWithoutDestroyBeginsANewLifeToo) {
  FakeLock lock;
  Create(&lock);
  const PackedRef first = Use(&lock);
  Create(&lock);
  EXPECT_FALSE(Alive(first));
  EXPECT_TRUE(Alive(Use(&lock)));
}

TEST_F(LockIdentityTest, AnAddressReusedForAnotherKindOfLockIsAnotherLock) {
  FakeLock lock;
  const PackedRef mutex = Use(&lock);
  // Another thread's cache knows nothing of it; this one's is emptied by the new kind's init,
  // which was not seen. Meet it as a thread that never saw the mutex.
  PackedRef semaphore = 0;
  std::thread([&] {
    Acquire<FakeSemaphore>(&lock);
    semaphore = HeldBy(*this_thread.record).empty() ? 0 : FindLock(&lock);
  }).join();
  ASSERT_NE(semaphore, 0u);
  EXPECT_FALSE(Alive(mutex));
  EXPECT_EQ(KindOf(LockAt(IndexOf(mutex)).kind_and_flags), LockKind::kSemaphore);
}

TEST_F(LockIdentityTest, ALifeThatHasBegunMeanwhileIsNotEndedByTheOldOnesDestroy) {
  FakeLock lock;
  Create(&lock);
  const PackedRef first = FindLock(&lock);
  Create(&lock);  // the memory is another's already
  const PackedRef second = FindLock(&lock);
  EndLockLife(first);
  EXPECT_TRUE(Alive(second));
  EXPECT_EQ(WithoutMode(FindLock(&lock)), WithoutMode(second));
}

// As left by a thread that was descheduled while it begins the life: the record's very first
// one, and a later one.
TEST_F(LockIdentityTest, AThreadThatMeetsALifeInItsBeginningRecordsItAll) {
  for (const uint32_t before : {0u, 2u, kGenerationMask}) {
    FakeLock locks[2];  // the first has index 0
    for (FakeLock& lock : locks) {
      Use(&lock);
      LockRecord& record = LockAt(IndexOf(FindLock(&lock)));
      record.kind_and_flags = kRecordDestroyed;
      record.generation = before | kLifeChanging;
      const uint64_t counted = Me().acquisitions;
      EXPECT_TRUE(Acquire(&lock));
      EXPECT_EQ(Me().acquisitions, counted + 1);
      ASSERT_EQ(HeldBy(Me()).size(), 1u);
      record.kind_and_flags = FakeMutex::Describe(&lock);
      record.generation = LifeIn(before | kLifeChanging);  // L1
      EXPECT_TRUE(Alive(Me().held[0].lock));
      record.kind_and_flags = kRecordDestroyed;
      record.generation = before | kLifeChanging;
      FakeLock newer;
      Acquire(&newer);
      EXPECT_NE(Release(&lock), 0u);  // not the newest hold: searched for
      EXPECT_NE(Release(&newer), 0u);
      EXPECT_TRUE(HeldBy(Me()).empty());
    }
  }
}

TEST_F(LockIdentityTest, AnInitBesideTheFirstUseLeavesTheLifeToThatUse) {
  FakeLock lock;
  const PackedRef first = Use(&lock);
  LockAt(IndexOf(first)).generation = GenerationOf(first) | kLifeChanging;
  Create(&lock);
  EXPECT_EQ(LockAt(IndexOf(first)).generation, GenerationOf(first) | kLifeChanging);
  EXPECT_EQ(LockAt(IndexOf(first)).kind_and_flags & kInitSeen, 0u);
  EndLockLife(first);
  EXPECT_EQ(LockAt(IndexOf(first)).kind_and_flags & kRecordDestroyed, 0u);
}

TEST_F(LockIdentityTest, AForgottenLockIsRelearnedInTheSameLife) {
  FakeLock lock;
  const PackedRef life = Use(&lock);
  std::thread([&] {
    FakeLock other;
    Use(&other);  // registers the thread, which has never seen `lock`
    ThreadRecord* const me = this_thread.record;
    EXPECT_EQ(LookUpLock(me, &lock).cached, nullptr);
    const LockUse use = RelearnLock(me, &lock, FakeMutex::Describe);
    EXPECT_EQ(use.ref, WithoutMode(life));
    EXPECT_EQ(LookUpLock(me, &lock).ref, use.ref);
  }).join();
}

TEST_F(LockIdentityTest, OnlyALifeThatIsKnownAndOfThisKindIsRelearned) {
  FakeLock ended, never, reused;
  Use(&ended);
  Destroy(&ended);
  Use(&reused);
  EXPECT_EQ(RelearnLock(&Me(), &ended, FakeMutex::Describe).cached, nullptr);
  EXPECT_EQ(RelearnLock(&Me(), &never, FakeMutex::Describe).cached, nullptr);
  EXPECT_EQ(RelearnLock(&Me(), &reused, FakeReader::Describe).cached, nullptr);
  EXPECT_NE(RelearnLock(&Me(), &reused, FakeMutex::Describe).cached, nullptr);
}

// Created but not taken yet: its first acquire has to say by what code (handler_use.h).
TEST_F(LockIdentityTest, ALockThatNobodyHasTakenIsNotRelearned) {
  FakeLock lock;
  Create(&lock);
  EXPECT_EQ(RelearnLock(&Me(), &lock, FakeMutex::Describe).cached, nullptr);
}

// More locks than the cache has entries.
TEST_F(LockIdentityTest, AcquisitionsAreCountedByClassWhenTheCacheEntryMovesOn) {
  std::vector<FakeLock> locks(3 * kLockCacheSize);
  for (int round = 0; round < 3; ++round) {
    for (FakeLock& lock : locks) Use(&lock);
  }
  const uint32_t lock_class = LockAt(IndexOf(FindLock(&locks[0]))).lock_class;
  EXPECT_EQ(CountedFor(lock_class).exclusive, 3 * locks.size());
  EXPECT_EQ(CountedFor(lock_class).shared, 0u);
}

TEST_F(LockIdentityTest, AcquisitionsToReadAreCountedApart) {
  FakeLock lock;
  for (int i = 0; i < 3; ++i) {
    Acquire<FakeReader>(&lock);
    Release(&lock);
  }
  Acquire<FakeWriter>(&lock);
  Release(&lock);
  const Counted counted = CountedFor(LockAt(IndexOf(FindLock(&lock))).lock_class);
  EXPECT_EQ(counted.exclusive, 1u);
  EXPECT_EQ(counted.shared, 3u);
}

// The lock's record would wander between the processors.
TEST_F(LockIdentityTest, TheRecordOfALockThatIsOftenForgottenIsNotWrittenAnyMore) {
  FakeLock lock;
  std::vector<FakeLock> others(8 * kLockCacheSize);
  const auto at_one_place = [&](const FakeLock& other) {
    return LockCacheIndex(reinterpret_cast<uint64_t>(&other)) ==
           LockCacheIndex(reinterpret_cast<uint64_t>(&lock));
  };
  FakeLock& rival = *std::find_if(others.begin(), others.end(), at_one_place);
  const auto use_both = [&](uint64_t times) {
    for (uint64_t i = 0; i < times; ++i) {
      Acquire(&lock);  // two sites, so two classes
      Release(&lock);
      Acquire(&rival);
      Release(&rival);
    }
  };
  use_both(kManyTaken);
  const LockRecord& record = LockAt(IndexOf(FindLock(&lock)));
  EXPECT_EQ(record.acquisitions, kManyTaken) << "seldom taken: exact";
  use_both(4);
  const uint64_t settled = record.acquisitions;
  EXPECT_GE(settled, kUncounted);
  use_both(100);
  EXPECT_EQ(record.acquisitions, settled);
  EXPECT_EQ(CountedFor(record.lock_class).exclusive, kManyTaken + 104);
}

TEST_F(LockIdentityTest, ClassesThatShareATallyAreToldApart) {
  FakeLock lock;
  Use(&lock);
  Use(&lock);
  const uint32_t own = LockAt(IndexOf(FindLock(&lock))).lock_class;
  const uint32_t other = own + kClassTallies;
  ASSERT_LT(other, TheLedger().Capacity(kClasses));
  MoveCounts(TheLedger(), &Me(), LockCachePlace(&Me(), reinterpret_cast<uint64_t>(&lock)),
             WhyMoved::kForgotten);
  TallyOf(TheLedger(), &Me(), other).contentions = 5;
  EXPECT_EQ(CountedFor(other).contentions, 5u);
  TallyOf(TheLedger(), &Me(), own);
  EXPECT_EQ(CountedFor(other).contentions, 5u);
  EXPECT_EQ(CountedFor(own).exclusive, 2u);
}

TEST_F(LockIdentityTest, UnitsOfASemaphoreThatOthersPostAreNoLocksTaken) {
  FakeLock work, lock;
  const auto take = [](FakeLock* semaphore) { Acquire<FakeSemaphore>(semaphore); };
  take(&lock);
  Post(&lock);
  take(&work);
  std::thread([&] {
    Post(&work);
    Post(&work);
  }).join();
  for (FakeLock* semaphore : {&work, &lock}) {
    MoveCounts(TheLedger(), &Me(), LockCachePlace(&Me(), reinterpret_cast<uint64_t>(semaphore)),
               WhyMoved::kForgotten);
  }
  EXPECT_EQ(CountedFor(LockAt(IndexOf(FindLock(&lock))).lock_class).exclusive, 1u);
}

TEST_F(LockIdentityTest, TwoThreadsThatMeetALockForTheFirstTimeGetOneRecord) {
  constexpr int kLocks = 5000;
  std::vector<FakeLock> locks(kLocks);
  std::vector<uint32_t> indexes[2];
  std::atomic<int> ready{0};
  const auto meet = [&](std::vector<uint32_t>* out) {
    ready.fetch_add(1);
    while (ready != 2) {
    }
    for (FakeLock& lock : locks) {
      InScope(LOCKWARDEN_CFA, [] { return 0; }, [&](const auto& scope) {
        const LockUse use = IdentifyLock(scope.record(), &lock, FakeMutex::Describe, 1, scope.cfa());
        out->push_back(IndexOf(use.ref));
        return 0;
      });
    }
  };
  std::thread a(meet, &indexes[0]), b(meet, &indexes[1]);
  a.join();
  b.join();
  EXPECT_EQ(indexes[0], indexes[1]);
  for (int i = 0; i < kLocks; ++i) {
    EXPECT_EQ(LockAt(indexes[0][i]).generation, 1u);
    EXPECT_EQ(LockAt(indexes[0][i]).address, reinterpret_cast<uint64_t>(&locks[i]));
  }
}

Capacities WithFewLocks() {
  Capacities few = Capacities{}.Scaled(8);
  few.locks = 64;
  few.classes = 64;
  return few;
}
class FullLockTableTest : public SmallLedger {
 protected:
  FullLockTableTest() : SmallLedger(WithFewLocks()) {}
};

TEST_F(FullLockTableTest, LocksBeyondItAreCountedAndFoldIntoOneRecordThatHasARoom) {
  std::vector<FakeLock> locks(100);
  int recorded = 0, calls = 0;
  for (FakeLock& lock : locks) {
    recorded += Acquire(&lock, [&] { return ++calls, true; });
  }
  EXPECT_EQ(calls, 100);
  EXPECT_EQ(recorded, 100);
  constexpr uint32_t kOwn = 60;  // a sixteenth is kept for those that fold
  EXPECT_EQ(Dropped(kLocks), 100u - kOwn);
  const std::vector<Held> held = HeldBy(Me());
  ASSERT_EQ(held.size(), kOwn + 1u);
  EXPECT_EQ(held.back().depth, 100u - kOwn - 1u);
  const LockRecord& folded = LockAt(held.back().index);
  EXPECT_NE(folded.kind_and_flags & kFolded, 0u);
  EXPECT_NE(folded.foreign_releases, 0u) << "who holds it must prove nothing";
  for (FakeLock& lock : locks) Release(&lock, [&] { ++calls; });
  EXPECT_EQ(calls, 200);
  EXPECT_TRUE(HeldBy(Me()).empty());
  EXPECT_EQ(Me().frame0.wait.wait, 0u);
}

TEST_F(FullLockTableTest, NobodyIsToldThatOneBeyondItLiesAtTheSharedRecordsAddress) {
  std::vector<FakeLock> locks(64);
  for (FakeLock& lock : locks) Acquire(&lock);
  HoldView holds[80];
  const uint32_t count = lockwarden_order_v1()->held(holds, 80);
  ASSERT_GT(count, 0u);
  EXPECT_EQ(holds[0].kind, LockKind::kMutex);
  EXPECT_EQ(holds[count - 1].kind, LockKind::kNone) << "whose address would be read as a lock";
  for (FakeLock& lock : locks) Release(&lock, [] {});
}

TEST_F(FullLockTableTest, AWaitForOneBeyondItSaysWhichItIs) {
  std::vector<FakeLock> locks(64);
  for (FakeLock& lock : locks) Acquire(&lock);
  FakeLock beyond;  // looks free: others leave out the details then
  bool waited = false;
  Acquire(&beyond, [&] {
    const WaitSlot& wait = Me().frame0.wait;
    waited = wait.wait != 0 && wait.object == reinterpret_cast<uint64_t>(&beyond);
    return true;
  });
  EXPECT_TRUE(waited);
}

TEST_F(FullLockTableTest, AReleaseOfALockThatIsKnownLeavesTheFoldedOnesAlone) {
  std::vector<FakeLock> locks(64);
  for (FakeLock& lock : locks) Acquire(&lock);
  const size_t before = HeldBy(Me()).size();
  Release(&locks[0]);
  const std::vector<Held> held = HeldBy(Me());
  EXPECT_EQ(held.size(), before - 1);
  EXPECT_EQ(held.back().depth, 3u);
}

}  // namespace
}  // namespace lockwarden::ledger
